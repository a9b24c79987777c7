// The gateway of another node, as an actor of this process: every request to it is answered, also when the link is
// lost.
#pragma once
#include "understudy/actors/node/node_event.hpp"
#include "understudy/runtime/platform/node_links.hpp"

namespace understudy::internal {

/// What becomes of a link that was dialled. Both on the actor's thread; must be quick and not throw.
struct remote_gateway_hooks {
  /// The node has presented its gateway.
  std::function<void(node_gateway_actor gateway)> on_linked;
  /// Once; perhaps without on_linked.
  std::function<void(failure_ptr why)> on_ended;
};

/// Stands for it as long as `dialled` lasts. A text that is longer than the node takes, or one more than it takes at a
/// time, is refused (`invalid_request`, `queue_full`): nothing was sent. Requests that were sent when the link ends
/// fail with `connection_failed`: the node may have carried them out. Those that come later were not sent; CAF answers
/// them (sec::request_receiver_down). Ends with the link, whoever holds a handle.
node_gateway_actor spawn_remote_gateway(caf::actor_system& system, environment_ptr env, adopted_link dialled,
                                        remote_gateway_hooks hooks);

}  // namespace understudy::internal
