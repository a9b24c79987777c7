// How many refusals of busy servers may be asked again elsewhere, so that retries never become a load of their own.
#pragma once
#include <algorithm>
#include <atomic>

namespace understudy::internal {

/// The budget of all connections together: a tenth of the traffic. A retry that another server carried out costs
/// nothing, since nobody else did that work; what is used up is for retries that are refused as well. Safe to share
/// between threads.
class retry_budget {
 public:
  /// An operation was answered; `refused_before`: it is a retry.
  void answered(bool refused_before) noexcept { earn(refused_before ? price : 1); }
  /// True when one more retry is within the budget; it is spent then.
  bool spend() noexcept {
    auto now = tenths_.load(std::memory_order_relaxed);
    while (now >= price)
      if (tenths_.compare_exchange_weak(now, now - price, std::memory_order_relaxed)) return true;
    return false;
  }

 private:
  void earn(int tenths) noexcept {
    auto now = tenths_.load(std::memory_order_relaxed);
    while (now < most && !tenths_.compare_exchange_weak(now, std::min(now + tenths, most), std::memory_order_relaxed)) {
    }
  }

  static constexpr int price = 10, most = 1000;
  /// In tenths of a retry. Twenty retries before any traffic: a breaker takes so many calls to judge a server.
  std::atomic<int> tenths_{200};
};

}  // namespace understudy::internal
