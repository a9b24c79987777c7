// The pool actor: the connections to one server.
#pragma once
#include "understudy/actors/ports/ports.hpp"

namespace understudy::internal {

/// Starts the pool of `context.server`, which opens its first connection at once. `breaker` gets reports of failed
/// connects and requests that wait here in vain; `manager` (the connection_manager) is where connections ask for
/// credentials. Both are only known weakly. After `(drain_atom, deadline)` was answered, end it with
/// exit_reason::user_shutdown; without a drain that closes the connections and fails who waits with errc::stopped.
pool_actor spawn_pool(caf::actor_system& system, server_context_ptr context, connection_factory factory,
                      caf::actor_addr breaker, caf::actor_addr manager);

}  // namespace understudy::internal
