// Spans of time in the units that people, limits and the wire have them in.
#pragma once
#include "understudy/messages/time.hpp"

namespace understudy::internal {

/// With a fraction.
constexpr double in_milliseconds(duration span) noexcept {
  return std::chrono::duration<double, std::milli>(span).count();
}

/// A limit, as as_limit() has it, rounded down.
constexpr milliseconds whole_milliseconds(duration limit) noexcept {
  return std::chrono::duration_cast<milliseconds>(as_limit(limit));
}

/// What is left until `when`, rounded up: who waits so long does not come too early. Zero when that is over.
constexpr milliseconds time_until(time_point when, time_point now) noexcept {
  return std::max(milliseconds::zero(), std::chrono::ceil<milliseconds>(when - now));
}

}  // namespace understudy::internal
