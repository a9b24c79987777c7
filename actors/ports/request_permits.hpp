// How many requests may be under way at once in one runtime: limits.max_requests.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>

namespace understudy::internal {

/// Shared by everybody who sends requests; thread-safe.
class request_permits : public std::enable_shared_from_this<request_permits> {
 public:
  /// Held as long as the request is under way; gives itself back.
  using permit = std::shared_ptr<void>;

  explicit request_permits(std::uint64_t most) noexcept : most_(most) {}

  /// Gives one back.
  struct giver {
    void operator()(request_permits* all) const noexcept { all->give_back(); }
  };
  /// As a permit; whoever has it holds `*this` too.
  using own_permit = std::unique_ptr<request_permits, giver>;

  /// Null when there are none left.
  own_permit take_own() noexcept { return own_permit{try_take() ? this : nullptr}; }
  /// Null when there are none left. `*this` is held by a shared_ptr.
  permit take() {
    if (!try_take()) return nullptr;
    return {this, [all = shared_from_this()](request_permits*) { all->give_back(); }};
  }
  ///@{
  /// The same, to be given back by the caller.
  bool try_take() noexcept {
    if (taken_.fetch_add(1) < most_) return true;
    give_back();
    return false;
  }
  void give_back() noexcept { --taken_; }
  ///@}

  std::uint64_t most() const noexcept { return most_; }
  std::uint64_t taken() const noexcept { return taken_.load(); }

 private:
  const std::uint64_t most_;
  std::atomic<std::uint64_t> taken_{0};
};

}  // namespace understudy::internal
