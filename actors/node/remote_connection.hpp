// A leased connection of a node, as its holder here sees it.
#pragma once
#include "understudy/actors/node/remote_router.hpp"

namespace understudy::internal {

/// What one stands for.
struct remote_connection_spec {
  environment_ptr env;
  caf::actor_addr router;     ///< a remote_router_actor, which keeps this one
  lease_id lease = 0;         ///< as it is known here …
  lease_id node_lease = 0;    ///< … and to the node
  std::uint64_t session = 0;  ///< the link that it came by
  std::string server_name;    ///< "host:port"
  std::size_t most_result_bytes = 0;
};

/// Ends with `removed_atom`; `close_atom`: its link was lost, everything is refused from now on.
connection_actor spawn_remote_connection(caf::actor_system& system, remote_connection_spec spec);

}  // namespace understudy::internal
