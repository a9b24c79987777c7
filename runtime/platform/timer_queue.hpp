// Which timers are due: one ordered place a timer, moved only when it has to fire earlier. Plain arithmetic, no
// threads.
#pragma once
#include "understudy/messages/time.hpp"

#include <cstdint>
#include <set>
#include <unordered_map>
#include <vector>

namespace understudy::internal {

/// Timers by number. Setting a timer to a later time is O(1) (its place is corrected when it comes up), everything else
/// O(log n); it never holds more than one place a timer. Not thread-safe.
class timer_queue {
 public:
  using timer_id = std::uint64_t;

  void add(timer_id id) { timers_.emplace(id, timer{}); }
  /// Fires once at `when`; replaces an earlier setting. Unknown numbers are ignored.
  void set(timer_id id, time_point when);
  /// Does not fire any more until set again.
  void clear(timer_id id);
  void remove(timer_id id);
  bool contains(timer_id id) const { return timers_.count(id) != 0; }

  /// Takes out all timers due at `now`, in the order of their times; each has to be set anew to fire again.
  std::vector<timer_id> take_due(time_point now);
  /// When to call take_due() next; at times earlier than the next timer, never later. time_point::max(): no
  /// timer is set.
  time_point next() const;
  std::size_t size() const { return timers_.size(); }

 private:
  static constexpr time_point never = time_point::max();
  struct timer {
    time_point due = never;    ///< when it shall fire
    time_point place = never;  ///< where it stands in places_; never: nowhere
  };
  using places = std::set<std::pair<time_point, timer_id>>;

  void move(timer_id id, timer& t, time_point to);

  std::unordered_map<timer_id, timer> timers_;
  places places_;
};

}  // namespace understudy::internal
