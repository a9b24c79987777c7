// A timer of an actor: one setting at a time, told by `(tick_atom, id)`.
#pragma once
#include "understudy/actors/ports/ports.hpp"

namespace understudy::internal {

/// Set only when that changes something, and removed with its owner. Belongs to the owner's thread.
class actor_timer {
 public:
  /// Not set.
  actor_timer(std::shared_ptr<poller_port> poller, caf::actor_addr owner)
      : poller_(std::move(poller)), id_(poller_->add_timer(std::move(owner))) {}
  ~actor_timer() { poller_->remove_timer(id_); }
  actor_timer(const actor_timer&) = delete;
  actor_timer& operator=(const actor_timer&) = delete;

  /// Due at `when`; time_point::max(): not at all.
  void arm(time_point when) {
    if (when == armed_) return;
    if (when == time_point::max())
      poller_->clear_timer(id_);
    else
      poller_->set_timer(id_, when);
    armed_ = when;  // last: what failed is tried again
  }
  void disarm() { arm(time_point::max()); }
  /// Due at `when` at the latest: an earlier setting stays. time_point::max(): whenever, so nothing changes.
  void arm_by(time_point when) {
    if (when < armed_) arm(when);
  }
  /// True when `(tick_atom, id)` is of this timer, which is not set any more then.
  bool fired(poller_port::timer_id id) noexcept {
    if (id != id_) return false;
    armed_ = time_point::max();
    return true;
  }

 private:
  std::shared_ptr<poller_port> poller_;
  poller_port::timer_id id_;
  time_point armed_ = time_point::max();
};

}  // namespace understudy::internal
