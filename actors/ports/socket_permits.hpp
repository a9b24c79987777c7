// Permits for sockets to one directory server: taken by its pool, raised and lowered by the budget that nodes share.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace understudy::internal {

/// Thread-safe: what is open and what may be are one word, so that nobody opens what is being lent at that moment.
class socket_permits {
 public:
  /// So many may be open at first.
  explicit socket_permits(std::uint32_t allowed) noexcept : word_(join(allowed, 0)) {}
  socket_permits(const socket_permits&) = delete;
  socket_permits& operator=(const socket_permits&) = delete;

  /// By who is about to open one: false when no more may be open. Each true is followed by one close().
  bool open() noexcept {
    auto known = word_.load();
    do {
      if (opened_of(known) >= allowed_of(known)) return false;
    } while (!word_.compare_exchange_weak(known, known + 1));
    return true;
  }
  /// One that open() let through is closed, or was never opened.
  void close() noexcept { --word_; }

  /// So many more may be open.
  void raise(std::uint32_t by) noexcept { word_ += join(by, 0); }
  /// Lowers what is allowed by up to `by`, never below what is open; by how many it was.
  std::uint32_t lower_unused(std::uint32_t by) noexcept {
    auto known = word_.load();
    std::uint32_t lowered = 0;
    do {
      const auto unused = allowed_of(known) > opened_of(known) ? allowed_of(known) - opened_of(known) : 0;
      lowered = by < unused ? by : unused;
    } while (!word_.compare_exchange_weak(known, known - join(lowered, 0)));
    return lowered;
  }
  /// Lowers it whatever is open: some have to be closed then.
  void lower(std::uint32_t by) noexcept { word_ -= join(by, 0); }

  /// By the pool: so many sockets would be of use. Tells the budget when more than before are missing.
  void want(std::uint32_t sockets) noexcept {
    const auto before = wanted_.exchange(sockets);
    if (sockets > before && sockets > allowed() && on_shortage_) on_shortage_();
  }
  /// What want() was told last.
  std::uint32_t wanted() const noexcept { return wanted_.load(); }
  /// Called by want() on the pool's thread: must be quick and not throw. To be set before others know of the permits.
  void set_on_shortage(std::function<void()> call) { on_shortage_ = std::move(call); }

  ///@{
  /// How many may be open, and are.
  std::uint32_t allowed() const noexcept { return allowed_of(word_.load()); }
  std::uint32_t opened() const noexcept { return opened_of(word_.load()); }
  ///@}

 private:
  static std::uint64_t join(std::uint32_t allowed, std::uint32_t opened) noexcept {
    return std::uint64_t{allowed} << 32U | opened;
  }
  static std::uint32_t allowed_of(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word >> 32U); }
  static std::uint32_t opened_of(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word); }

  std::atomic<std::uint64_t> word_;
  std::atomic<std::uint32_t> wanted_{0};
  std::function<void()> on_shortage_;
};

/// One permit, held by whoever may still have the socket: it is given back when the last of them lets go of it. Null
/// where nothing is limited.
using socket_permit = std::shared_ptr<void>;

/// A permit of `from`, which is not null; null when there is none.
inline socket_permit take_permit(const std::shared_ptr<socket_permits>& from) {
  if (!from->open()) return nullptr;
  try {
    return {from.get(), [from](void*) { from->close(); }};
  } catch (...) {
    // The deleter has run: see std::shared_ptr.
    return nullptr;
  }
}

}  // namespace understudy::internal
