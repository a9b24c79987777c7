// Virtual time for owners of timers that act at once, inside the poller's call, as the runtime's own actors do.
#pragma once
#include "support/virtual_runtime.hpp"
#include "understudy/runtime/platform/timer_queue.hpp"

namespace understudy::test {

using namespace internal;

/// Timers moved by hand; no descriptors. Not thread-safe.
class hand_timers final : public poller_port {
 public:
  explicit hand_timers(std::shared_ptr<const manual_clock> clock) : clock_(std::move(clock)) {}

  io_id add(int, caf::actor_addr) override { return 0; }
  void arm(io_id, std::uint32_t) override {}
  void remove(io_id) override {}
  timer_id add_timer(caf::actor_addr owner) override {
    timers_.add(++last_);
    owners_.emplace(last_, std::move(owner));
    return last_;
  }
  void set_timer(timer_id id, time_point when) override { timers_.set(id, when); }
  void clear_timer(timer_id id) override { timers_.clear(id); }
  void remove_timer(timer_id id) override {
    timers_.remove(id);
    owners_.erase(id);
  }

  time_point next() const { return timers_.next(); }
  std::size_t timers() const { return timers_.size(); }
  void fire_due() {
    for (auto id : timers_.take_due(clock_->now()))
      if (auto owner = caf::actor_cast<caf::strong_actor_ptr>(owners_.at(id)))
        owner->get()->eq_impl(caf::make_message_id(), nullptr, nullptr, tick_atom_v, id);
  }

 private:
  std::shared_ptr<const manual_clock> clock_;
  timer_queue timers_;
  std::map<timer_id, caf::actor_addr> owners_;
  timer_id last_ = 0;
};

/// A virtual runtime whose parts of the runtime use such timers.
struct by_hand : virtual_runtime {
  std::shared_ptr<hand_timers> timers = std::make_shared<hand_timers>(clock);

  /// Lets `span` pass, stopping at every timer on the way.
  void pass(duration span) {
    const auto end = now() + span;
    while (timers->next() <= end) {
      clock->advance(std::max(timers->next() - now(), duration::zero()));
      timers->fire_due();
      run();
    }
    clock->advance(end - now());
    run();
  }
};

}  // namespace understudy::test
