// Bounds how often a line is written that something outside can make happen any number of times.
#pragma once
#include "understudy/messages/time.hpp"

#include <cstdint>
#include <optional>
#include <utility>

namespace understudy::internal {

/// The first passes, and one in each `pause` after that; the others are counted for the next one that does. On injected
/// time; belongs to one thread.
class repeat_limiter {
 public:
  explicit repeat_limiter(duration pause) noexcept : pause_(pause) {}

  /// How many were held back since the last one that passed; nothing when this one is held back too.
  std::optional<std::uint64_t> pass(time_point now) noexcept {
    if (passed_ && now - *passed_ < pause_) {
      ++held_back_;
      return std::nullopt;
    }
    passed_ = now;
    return std::exchange(held_back_, 0);
  }

 private:
  duration pause_;
  std::optional<time_point> passed_;
  std::uint64_t held_back_ = 0;
};

}  // namespace understudy::internal
