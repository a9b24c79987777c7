// How many refusals of a busy server may be asked again elsewhere: a tenth of the traffic, so that retries never become
// a load of their own.
#pragma once
#include <algorithm>

namespace understudy {

/// Counts in tenths of a retry.
class retry_budget {
 public:
  /// An operation ended well.
  void earn() noexcept { tenths_ = std::min(tenths_ + 1, most); }
  /// True when one more retry is within the budget; it is spent then.
  bool spend() noexcept {
    if (tenths_ < price) return false;
    tenths_ -= price;
    return true;
  }

 private:
  static constexpr int price = 10, most = 100;
  int tenths_ = 50;  // a new connection may retry five times before it has earned it
};

}  // namespace understudy
