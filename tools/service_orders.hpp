// What a client of the node may have the service do: the same as signals do.
#pragma once
#include <functional>
#include <mutex>
#include <utility>

namespace understudy::cli {

enum class service_order { reload, drain };

/// From the threads of the parts to the service, which comes after them and goes before them. Thread-safe.
class service_orders {
 public:
  using taker = std::function<void(service_order)>;

  /// Who carries orders out from now on; empty: nobody. When it returns, the earlier one is not running.
  void go_to(taker service) {
    const std::lock_guard guard{mutex_};
    taker_ = std::move(service);
  }
  /// False: nobody takes them now. Does not wait.
  bool give(service_order order) {
    const std::lock_guard guard{mutex_};
    if (taker_) taker_(order);
    return static_cast<bool>(taker_);
  }

 private:
  std::mutex mutex_;
  taker taker_;
};

}  // namespace understudy::cli
