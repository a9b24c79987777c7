// Whether a request sent now would find a server, read off a snapshot.
#pragma once
#include "understudy/messages/snapshot.hpp"

namespace understudy::internal {

/// True when requests are let through to it and it has shown that it answers.
bool is_usable(const server_snapshot& server) noexcept;
/// True when one of the servers is.
bool is_usable(const runtime_snapshot& all) noexcept;

}  // namespace understudy::internal
