// Whether giving way to other threads is cheap: not on a processor that somebody else keeps busy.
#pragma once
#include "understudy/messages/time.hpp"

#include <algorithm>
#include <atomic>

namespace understudy::internal {

/// A thread that waits for another gives way before it looks again. With one on the same processor that never sleeps,
/// of this or of another program, that hands it a whole time slice: measured on Linux 6.18, 4 ms a call, where an
/// answer takes 60 µs. Who sleeps instead is woken at once, before such a thread. So after a call that took a slice
/// nobody gives way for a while, longer each time. Thread-safe.
class yield_limiter {
 public:
  /// No call takes as long among threads that soon sleep again.
  static constexpr duration slice = milliseconds{1};
  static constexpr duration shortest_pause = milliseconds{50}, longest_pause = seconds{2};

  bool may_yield(time_point now) const noexcept { return now >= paused_until_.load(std::memory_order_relaxed); }
  /// It took so long, until `now`. False: sleep instead.
  bool yielded(duration took, time_point now) noexcept {
    if (took < slice) {
      // Not written where nothing changes: the cache line is everybody's.
      if (pause_.load(std::memory_order_relaxed) != duration::zero())
        pause_.store(duration::zero(), std::memory_order_relaxed);
      return true;
    }
    const auto pause = std::clamp(2 * pause_.load(std::memory_order_relaxed), shortest_pause, longest_pause);
    pause_.store(pause, std::memory_order_relaxed);
    paused_until_.store(now + pause, std::memory_order_relaxed);
    return false;
  }

 private:
  std::atomic<duration> pause_{};
  std::atomic<time_point> paused_until_{time_point::min()};
};

}  // namespace understudy::internal
