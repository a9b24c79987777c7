// An actor that exists to own timers and descriptors, for parts of the runtime that are no actors.
#pragma once
#include "understudy/actors/ports/ports.hpp"

#include <caf/monitorable_actor.hpp>

namespace understudy::internal {

/// Calls `on_tick` on the poller's thread for every `(tick_atom, …)`, and `on_ready` for every `(io_atom, id, events)`;
/// both must be quick and not throw.
caf::strong_actor_ptr make_event_actor(caf::actor_system& system, std::function<void()> on_tick,
                                       std::function<void(poller_port::io_id id, std::uint32_t events)> on_ready = {});

}  // namespace understudy::internal
