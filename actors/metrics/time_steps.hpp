// The steps of five seconds in which is counted what happened lately.
#pragma once
#include "understudy/messages/time.hpp"

#include <cstdint>

namespace understudy::internal {

inline constexpr seconds step_length{5};
/// So many places a ring has: five minutes, the step that runs, and some to spare.
inline constexpr std::size_t ring_steps = 64;
/// A step's number takes so many bits beside its counts; two months later it is given again.
inline constexpr unsigned step_number_bits = 20;
inline constexpr std::uint64_t step_number_mask = (std::uint64_t{1} << step_number_bits) - 1;

/// The number of the step in which `now` is.
inline std::uint64_t step_of(time_point now) noexcept {
  return static_cast<std::uint64_t>(now.time_since_epoch() / step_length);
}

}  // namespace understudy::internal
