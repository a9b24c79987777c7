// An actor that exists to own timers and descriptors, for parts of the runtime that are no actors.
#pragma once
#include "understudy/actors/ports/ports.hpp"

#include <caf/monitorable_actor.hpp>

namespace understudy::internal {

/// What it is told; each must be quick and not throw. An empty one is never called.
struct event_handlers {
  std::function<void()> on_tick;  ///< for every `(tick_atom, …)`, on the poller's thread
  /// For every `(io_atom, id, events)`, on the poller's thread.
  std::function<void(poller_port::io_id id, std::uint32_t events)> on_ready = {};
  /// For every `(resolved_atom, number, found)`, on any thread, also inside resolver_port::resolve().
  std::function<void(std::uint64_t number, resolution found)> on_resolved = {};
};

caf::strong_actor_ptr make_event_actor(caf::actor_system& system, event_handlers handlers);

}  // namespace understudy::internal
