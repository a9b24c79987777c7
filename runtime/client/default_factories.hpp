// The actors that a runtime is made of when nobody asks for others.
#pragma once
#include "understudy/runtime/runtime.hpp"

namespace understudy::internal {

connection_factory default_connections();
manager_factory default_manager();

}  // namespace understudy::internal
