// What our own program may know of a connection_manager beyond its interface.
#pragma once
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/runtime/runtime.hpp"

namespace understudy::internal {

/// The way past the facade.
struct manager_access {
  /// What runs behind `manager`, or null while nothing does.
  static std::shared_ptr<runtime> running(const connection_manager& manager);
  /// From its next start on, clients and other nodes come in where the settings say.
  static void serve_nodes(const connection_manager& manager, node_orders orders);
};

}  // namespace understudy::internal
