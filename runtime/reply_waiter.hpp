// Where a thread waits for one value from another: it looks for a moment, then it sleeps.
#pragma once
#include "understudy/runtime/lookout.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>

namespace understudy {

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
  /// The same, and looks before it sleeps.
  std::optional<T> wait(duration timeout, lookout& others) {
    const auto began = std::chrono::steady_clock::now();
    const auto there = [this] { return there_.load(std::memory_order_acquire); };
    if (others.look(there, std::chrono::steady_clock::now)) return std::move(value_);
    auto got = wait(timeout);
    if (got) others.slept(std::chrono::steady_clock::now() - began);
    return got;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::optional<T> value_;
  std::atomic<bool> there_{false};
};

}  // namespace understudy
