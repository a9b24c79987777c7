// Callers who wait for answers look for a moment before they sleep.
#pragma once
#include "understudy/runtime/platform/adaptive_spin.hpp"
#include "understudy/runtime/platform/yield_limiter.hpp"

#include <atomic>
#include <thread>
#include <utility>

namespace understudy::internal {

/// What the callers of one runtime know of how long answers take, and how many of them look. Thread-safe.
class spin_limiter {
 public:
  /// So many look at the same time; they burn processors that nobody else wants.
  static constexpr int most = 8;

  /// Until `there()`: true; or until it is time to sleep: false. Gives way to other threads at least once where that is
  /// cheap: with many callers the answer is there afterwards, or the poller finds several requests instead of one.
  /// `now`: the clock.
  template <class Condition, class Clock>
  bool look(Condition there, Clock now) {
    const place mine(*this);
    time_point at = now();
    if (!yields_.may_yield(at)) return there();
    const auto until = at + (mine.granted() ? length() : duration::zero());
    bool cheap = true;
    do {
      // Whoever has work for this processor goes first: it may be the very one that is waited for.
      std::this_thread::yield();
      const auto before = std::exchange(at, now());
      cheap = yields_.yielded(at - before, at);
      if (there()) return true;
    } while (cheap && at < until);
    return false;
  }

  /// It was not there in time, and came after `waited` in all.
  void slept(duration waited) noexcept {
    adaptive_spin window{length()};
    window.slept(waited);
    length_.store(window.length().count(), std::memory_order_relaxed);
  }
  duration length() const noexcept { return duration{length_.load(std::memory_order_relaxed)}; }

 private:
  class place {
   public:
    explicit place(spin_limiter& of) noexcept : of_(of), granted_(of.looking_.fetch_add(1) < most) {}
    ~place() { --of_.looking_; }
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    bool granted() const noexcept { return granted_; }

   private:
    spin_limiter& of_;
    bool granted_;
  };

  std::atomic<int> looking_{0};
  std::atomic<duration::rep> length_{0};
  yield_limiter yields_;
};

}  // namespace understudy::internal
