// LDAP clients that are in and what came of their operations, counted by listener, operation, identity and result.
#pragma once
#include "understudy/actors/ports/ports.hpp"

#include <array>
#include <map>
#include <mutex>

namespace understudy::internal {

/// The code of an operation that the client gave up: it gets no answer.
inline constexpr int abandoned_code = -1;
/// Of the request with that tag: "search", "bind", "extended operation" …; "other" where there is none.
std::string_view operation_of(std::uint8_t tag) noexcept;
/// What a result code means, roughly.
result_class class_of(int code) noexcept;

/// A listener, and what was asked there. Thread-safe.
class listener_record {
 public:
  explicit listener_record(std::string address) : address_(std::move(address)) {}

  ///@{
  /// Where it listens, for people: known when the system has chosen its port.
  std::string address() const {
    const std::lock_guard lock{mutex_};
    return address_;
  }
  void set_address(std::string address) {
    const std::lock_guard lock{mutex_};
    address_ = std::move(address);
  }
  ///@}
  void turned_away() noexcept { turned_away_.fetch_add(1, relaxed); }
  /// An operation of the request with that tag ended with that result code, or abandoned_code.
  void ended(std::uint8_t tag, client_standing identity, int code) noexcept;
  client_listener_snapshot snapshot() const;

 private:
  friend class client_registry;
  static constexpr auto relaxed = std::memory_order_relaxed;
  static constexpr std::size_t kinds = 9, standings = 4, classes = 6;

  mutable std::mutex mutex_;  ///< of the address
  std::string address_;
  std::atomic<std::uint64_t> accepted_{0}, turned_away_{0};
  std::atomic<std::uint32_t> clients_{0};
  std::array<std::array<std::array<std::atomic<std::uint64_t>, classes>, standings>, kinds> ended_{};
};

/// A client that is in. Its actor writes, anybody may read.
struct client_record {
  std::string address;
  std::shared_ptr<listener_record> listener;
  time_point since{};
  std::atomic<client_standing> identity{client_standing::anonymous};
  std::atomic<std::uint32_t> pending{0};
  std::atomic<bool> parked{false};
  std::atomic<std::uint64_t> operations{0};
};

/// All listeners and clients of a process; thread-safe.
class client_registry final : public clients_port, public std::enable_shared_from_this<client_registry> {
 public:
  /// That many clients are told of.
  static constexpr std::size_t most_told = 200;

  explicit client_registry(std::shared_ptr<clock_port> clock) : clock_(std::move(clock)) {}

  /// It is listed as long as somebody has it.
  std::shared_ptr<listener_record> open(std::string address);
  /// It is listed as long as somebody has it. `address`: for people.
  std::shared_ptr<client_record> enter(std::shared_ptr<listener_record> listener, std::string address);
  void fill(runtime_snapshot& into) override;

 private:
  void leave(std::uint64_t number) noexcept;

  const std::shared_ptr<clock_port> clock_;
  std::mutex mutex_;  ///< of what follows
  std::vector<std::shared_ptr<listener_record>> listeners_;
  std::map<std::uint64_t, std::shared_ptr<client_record>> clients_;  ///< in the order of their coming
  std::uint64_t last_ = 0;
};

}  // namespace understudy::internal
