// An actor that exists to own a timer and descriptors, for parts of the runtime that are no actors.
#pragma once
#include "understudy/actors/ports/actor_timer.hpp"

#include <caf/actor_control_block.hpp>

namespace understudy::internal {

/// What it is told; each must be quick and not throw. An empty one is never called.
struct event_handlers {
  std::function<void()> on_tick;  ///< for every `(tick_atom, …)`, on the poller's thread
  /// For every `(io_atom, id, events)`, on the poller's thread.
  std::function<void(poller_port::io_id id, std::uint32_t events)> on_ready = {};
  /// For every `(resolved_atom, number, found)`, on any thread, also inside resolver_port::resolve().
  std::function<void(std::uint64_t number, resolution found)> on_resolved = {};
};

/// An actor and its timer, from start() to stop(). Not thread-safe: its owner's lock guards it.
class event_source {
 public:
  void start(caf::actor_system& system, std::shared_ptr<poller_port> poller, event_handlers handlers);
  /// Nothing new is told; the timer is not set any more.
  void stop() noexcept;
  bool is_running() const noexcept { return actor_ != nullptr; }
  /// Whom the poller and the resolver are to tell.
  caf::actor_addr address() const;
  /// Of `on_tick`: what was set has gone off.
  void gone_off() { timer_->disarm(); }
  /// As actor_timer has them; while it is running.
  void arm(time_point when) { timer_->arm(when); }
  void arm_by(time_point when) { timer_->arm_by(when); }

 private:
  caf::strong_actor_ptr actor_;
  std::optional<actor_timer> timer_;
};

}  // namespace understudy::internal
