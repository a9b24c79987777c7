// What messages that have begun and not ended may take, of all clients of a front door together.
#pragma once
#include <atomic>
#include <cstddef>

namespace understudy::internal {

/// Bytes that wait for the rest of their message. The first ones of each client are free, so that small requests are
/// taken whatever others send. Shared by all clients of a front door; thread-safe.
class partial_messages {
 public:
  static constexpr std::size_t free_bytes = 64 * 1024;          ///< of each client
  static constexpr std::size_t most_bytes = 256 * 1024 * 1024;  ///< beyond those, of all, or four of the longest

  /// The bytes of `waiting` that count.
  static constexpr std::size_t counted(std::size_t waiting) noexcept {
    return waiting > free_bytes ? waiting - free_bytes : 0;
  }
  /// A client has `now` counted bytes in place of `before`. False: with those there would be more than `most`, and it
  /// keeps what it had. What becomes less is never refused.
  bool change(std::size_t before, std::size_t now, std::size_t most) noexcept {
    if (now <= before) {
      all_ -= before - now;
      return true;
    }
    const auto more = now - before;
    if (all_.fetch_add(more) + more <= most) return true;
    all_ -= more;
    return false;
  }
  std::size_t bytes() const noexcept { return all_; }

 private:
  std::atomic<std::size_t> all_{0};
};

}  // namespace understudy::internal
