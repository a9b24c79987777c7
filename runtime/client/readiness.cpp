// What a snapshot says of readiness: see readiness.hpp.
#include "understudy/runtime/client/readiness.hpp"

#include <algorithm>

namespace understudy::internal {

bool is_usable(const server_snapshot& server) noexcept {
  const bool let_through = server.breaker == breaker_state::closed || server.breaker == breaker_state::half_open;
  const bool ready = server.pool.now.idle + server.pool.now.in_use > 0;
  // A pool may be empty for want of work; it serves if what it had came and went without trouble.
  const bool on_demand = server.state == server_state::healthy && server.pool.opened > 0;
  return let_through && (ready || on_demand);
}

bool is_usable(const runtime_snapshot& all) noexcept {
  return std::any_of(all.servers.begin(), all.servers.end(), [](const auto& server) { return is_usable(server); });
}

}  // namespace understudy::internal
