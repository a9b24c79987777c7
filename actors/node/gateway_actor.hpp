// What a node's peers speak to: one actor that takes frames and answers each with a frame.
#pragma once
#include "understudy/actors/node/gateway_state.hpp"
#include "understudy/actors/node/peers_actor.hpp"
#include "understudy/actors/ports/ports.hpp"

#include <atomic>

namespace understudy::internal {

/// The first message is the only one that comes from other nodes.
using gateway_actor = caf::typed_actor<
    // A request_frame; answered with an answer_frame, whatever happens, at its deadline at the latest.
    caf::replies_to<std::string>::with<std::string>,
    // From the connection that a stream of that number runs on.
    caf::reacts_to<batch_atom, std::uint64_t, relayed_part>,
    // From the links: the one with that number ended. What its peer had asked is given up, what it held is returned.
    caf::reacts_to<removed_atom, std::uint64_t>,
    // The same: an answer is with the kernel (peer_registry::answered()).
    caf::reacts_to<credit_atom, std::uint64_t>,
    // Take nothing new; what is held may be finished.
    caf::reacts_to<drain_atom>, caf::reacts_to<tick_atom, std::uint64_t>>;

/// What a gateway serves, and how.
struct gateway_dependencies {
  environment_ptr env;
  std::string node;  ///< its own name, for people
  circuit_breaker_actor router;
  connection_manager_actor manager;
  std::shared_ptr<const peer_registry> peers;
  gateway_limits limits{};
  /// In the place of gateway_limits::most_leases, which may change at any time; null: that. Never 0.
  std::shared_ptr<const std::atomic<std::uint32_t>> most_leases = {};
  ///@{
  /// Has the process read its settings again, or drain and end: begins it and returns why it cannot be begun, or null.
  /// On the gateway's thread: must not wait. Empty: such a request is refused.
  std::function<failure_ptr()> reload, drain;
  ///@}
  bool compresses = false;  ///< larger answers, for those who read that
  /// Who takes what other nodes of the cluster tell, now; thread-safe. Empty, or null: such a request is refused.
  std::function<peers_actor()> cluster = {};
};

gateway_actor spawn_gateway(caf::actor_system& system, gateway_dependencies from);

}  // namespace understudy::internal
