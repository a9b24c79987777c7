// An actor that exists to own a timer, for parts of the runtime that are no actors.
#pragma once
#include "understudy/actors/ports/ports.hpp"

#include <caf/monitorable_actor.hpp>

namespace understudy::internal {

/// Calls `on_tick` on the poller's thread for every `(tick_atom, …)`; must be quick and not throw.
caf::strong_actor_ptr make_tick_actor(caf::actor_system& system, std::function<void()> on_tick);

}  // namespace understudy::internal
