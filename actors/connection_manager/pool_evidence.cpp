// Connections that were opened, and those that failed.
#include "understudy/actors/connection_manager/pool_evidence.hpp"

namespace understudy::internal {

void add_pool_evidence(server_snapshot& server, const pool_snapshot& pool) {
  const bool opened = pool.opened > 0, failed = pool.connect_failures > 0;
  if (server.untried && failed && !opened && server.state == server_state::healthy)
    server.state = server_state::suspect;
  server.untried = server.untried && !opened && !failed;
  server.pool = pool;
}

}  // namespace understudy::internal
