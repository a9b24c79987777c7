// Where a thread waits for one value from another: it looks for a moment, then it sleeps.
#pragma once
#include "understudy/runtime/platform/spin_limiter.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>

namespace understudy::internal {

/// How much longer than a deadline its waiter stays: the answer at the deadline is somebody else's work.
inline constexpr seconds waiting_grace{2};
/// In so many parts, each of which begins when the one before has ended.
inline constexpr int grace_parts = 4;

/// What `wait(span)` gets within `patience` and waiting_grace; nothing when that is nothing. Who wakes late was in a
/// process that stood still, as all that could have answered did: that takes a part of the grace, never all of it.
template <class Wait>
auto wait_out(duration patience, Wait wait) {
  auto got = wait(patience);
  for (int part = 0; !got && part < grace_parts; ++part) got = wait(duration{waiting_grace} / grace_parts);
  return got;
}

/// One value from another thread; shared by both, as it must outlive set().
template <class T>
class reply_waiter {
 public:
  void set(T value) {
    {
      std::lock_guard guard{mutex_};
      value_.emplace(std::move(value));
      there_.store(true, std::memory_order_release);
    }
    arrived_.notify_one();
  }
  /// Nothing when none came within `timeout`.
  std::optional<T> wait(duration timeout) {
    std::unique_lock lock{mutex_};
    arrived_.wait_for(lock, timeout, [this] { return value_.has_value(); });
    return std::move(value_);
  }
  /// For the deadline's answer: `timeout` and waiting_grace; looks before it sleeps.
  std::optional<T> wait_out(duration timeout, spin_limiter& others) {
    const auto began = std::chrono::steady_clock::now();
    const auto there = [this] { return there_.load(std::memory_order_acquire); };
    if (others.look(there, std::chrono::steady_clock::now)) return std::move(value_);
    auto got = internal::wait_out(timeout, [this](duration most) { return wait(most); });
    if (got) others.slept(std::chrono::steady_clock::now() - began);
    return got;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::optional<T> value_;
  std::atomic<bool> there_{false};
};

}  // namespace understudy::internal
