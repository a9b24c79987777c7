// How many of the latest calls failed: a sliding window of ten slices.
#pragma once
#include "understudy/messages/time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace understudy::internal {

/// Counts successes and failures of the last `length`; older ones leave a tenth of it at a time.
class rate_window {
 public:
  /// `length` above zero.
  explicit rate_window(duration length) noexcept;

  void add(std::uint64_t successes, std::uint64_t failures, time_point now) noexcept;
  /// True when at least `minimum` calls were counted and `percent` or more of them failed.
  bool failing(std::uint64_t minimum, int percent, time_point now) noexcept;
  void clear() noexcept;

 private:
  struct slice {
    std::int64_t number = -1;
    std::uint64_t calls = 0, failures = 0;
  };
  static constexpr std::size_t slice_count = 10;

  std::int64_t number_at(time_point now) const noexcept;

  duration slice_length_;
  std::array<slice, slice_count> slices_{};
};

}  // namespace understudy::internal
