// A timer of an actor: one setting at a time, told by `(tick_atom, id)`.
#pragma once
#include "understudy/actors/ports/ports.hpp"

#include <optional>

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

  /// Due at `when`, or not at all.
  void arm(std::optional<time_point> when) {
    if (when == armed_) return;
    if (when)
      poller_->set_timer(id_, *when);
    else
      poller_->clear_timer(id_);
    armed_ = when;  // last: what failed is tried again
  }
  /// Due at `when` at the latest: an earlier setting stays. time_point::max(): whenever, so nothing changes.
  void arm_by(time_point when) {
    if (when < armed_.value_or(time_point::max())) arm(when);
  }
  /// True when `(tick_atom, id)` is of this timer, which is not set any more then.
  bool fired(poller_port::timer_id id) noexcept {
    if (id != id_) return false;
    armed_.reset();
    return true;
  }

 private:
  std::shared_ptr<poller_port> poller_;
  poller_port::timer_id id_;
  std::optional<time_point> armed_;
};

}  // namespace understudy::internal
