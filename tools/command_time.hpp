// How long a command of the program may take: --timeout, as one deadline.
#pragma once
#include "understudy/messages/time.hpp"

#include <optional>
#include <utility>

namespace understudy::cli {

/// Fixed once, when a command begins its work; whatever it does and waits for shares this time, but for what people and
/// other programs take to write its input.
class command_time {
 public:
  /// `timeout` zero: as long as it takes.
  explicit command_time(duration timeout, time_point now = std::chrono::steady_clock::now());

  /// When it is over; nothing without a limit.
  std::optional<time_point> deadline() const noexcept { return deadline_; }
  /// So much of it was no work of the command's.
  void give_back(duration span) noexcept;
  /// Runs `wait`, which waits for input, and gives its time back. Returns what it returns.
  template <class Wait>
  auto waiting_for_input(Wait&& wait) {
    const auto began = std::chrono::steady_clock::now();
    auto input = std::forward<Wait>(wait)();
    give_back(std::chrono::steady_clock::now() - began);
    return input;
  }

 private:
  std::optional<time_point> deadline_;
};

}  // namespace understudy::cli
