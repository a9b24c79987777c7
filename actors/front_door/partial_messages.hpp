// What messages that have begun and not ended may take, of all clients of a front door together and of one address.
#pragma once
#include <cstddef>
#include <map>
#include <mutex>
#include <string>

namespace understudy::internal {

/// Bytes beyond the free ones.
struct partial_limits {
  std::size_t all = 0;         ///< of all clients together
  std::size_t of_address = 0;  ///< of those of one address
};

/// Bytes that wait for the rest of their message. The first ones of each client are free, so that small requests are
/// taken whatever others send. Shared by all clients of a front door; thread-safe.
class partial_messages {
 public:
  static constexpr std::size_t free_bytes = 64 * 1024;  ///< of each client

  /// The bytes of `waiting` that count.
  static constexpr std::size_t counted(std::size_t waiting) noexcept {
    return waiting > free_bytes ? waiting - free_bytes : 0;
  }
  /// Where a message has at most `longest` bytes: 256 MiB, or four of the longest; one address has a quarter of that,
  /// so that nobody who comes from one alone keeps others out.
  static constexpr partial_limits limits_for(std::size_t longest) noexcept {
    constexpr std::size_t of_address = 64 * 1024 * 1024, addresses = 4;
    const auto share = longest > of_address ? longest : of_address;
    return {addresses * share, share};
  }

  /// A client of `address` (as limits are counted by) has `now` counted bytes in place of `before`. False: with those
  /// there would be more than `most`, and it keeps what it had. What becomes less is never refused.
  bool change(const std::string& address, std::size_t before, std::size_t now, const partial_limits& most);
  ///@{
  /// Counted bytes, of all clients and of those of one address.
  std::size_t bytes() const;
  std::size_t bytes_of(const std::string& address) const;
  ///@}

 private:
  mutable std::mutex mutex_;  ///< of what follows
  std::size_t all_ = 0;
  std::map<std::string, std::size_t> of_address_;  ///< where there are some
};

}  // namespace understudy::internal
