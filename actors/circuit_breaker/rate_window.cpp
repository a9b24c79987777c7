// How many of the latest calls failed.
#include "understudy/actors/circuit_breaker/rate_window.hpp"

#include <algorithm>

namespace understudy::internal {

rate_window::rate_window(duration length) noexcept
    : slice_length_(std::max(length / static_cast<duration::rep>(slice_count), duration{1})) {}

std::int64_t rate_window::number_at(time_point now) const noexcept { return now.time_since_epoch() / slice_length_; }

void rate_window::add(std::uint64_t successes, std::uint64_t failures, time_point now) noexcept {
  const auto number = number_at(now);
  auto& current = slices_[static_cast<std::size_t>(number) % slice_count];
  if (current.number != number) current = slice{number, 0, 0};
  current.calls += successes + failures;
  current.failures += failures;
}

bool rate_window::failing(std::uint64_t minimum, int percent, time_point now) noexcept {
  const auto oldest = number_at(now) - static_cast<std::int64_t>(slice_count) + 1;
  std::uint64_t calls = 0;
  std::uint64_t failures = 0;
  for (const auto& s : slices_) {
    if (s.number >= oldest) {
      calls += s.calls;
      failures += s.failures;
    }
  }
  return calls >= minimum && failures * 100 >= calls * static_cast<std::uint64_t>(percent);
}

void rate_window::clear() noexcept { slices_ = {}; }

}  // namespace understudy::internal
