// Speaks with the other nodes of a cluster: asks those that this one dials, answers those that dial it.
#pragma once
#include "understudy/actors/node/node_cluster.hpp"
#include "understudy/actors/node/node_event.hpp"

#include <map>

namespace understudy::internal {

using peers_actor = caf::typed_actor<
    // From the gateway: what the node of that name sent over that link (exchange.hpp); answered with its counterpart.
    caf::replies_to<exchange_atom, std::string, std::uint64_t, std::string>::with<std::string>,
    // From the gateway: that link ended.
    caf::reacts_to<removed_atom, std::uint64_t>,
    // From what keeps the link to the node of that name.
    caf::reacts_to<event_atom, std::string, node_event>,
    // Sockets are missing, or a secret was refused: who may lend some, or everybody, is asked soon.
    caf::reacts_to<exchange_atom>, caf::reacts_to<tick_atom, std::uint64_t>>;

/// Of whom it speaks, and with whom.
struct peers_dependencies {
  environment_ptr env;
  std::shared_ptr<node_cluster> cluster;
  caf::actor_addr router;   ///< the circuit breaker: how servers are, and to have them probed
  caf::actor_addr manager;  ///< knows its successor, when that has ended
  /// Keeps a link to each peer that this node dials, by name.
  std::map<std::string, node_connecting> dials;
};

/// Ends by exit_reason::user_shutdown, and its links with it. After an exception it begins all links again; what is
/// known of the cluster is in `from.cluster` and stays, whatever becomes of this actor: peers_supervisor replaces it.
peers_actor spawn_peers(caf::actor_system& system, peers_dependencies from);

}  // namespace understudy::internal
