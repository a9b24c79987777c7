// The points and spans of time that every part of Understudy speaks of.
#pragma once
#include <algorithm>
#include <chrono>
#include <string>

namespace understudy {

/// A point on the monotonic clock. Deadlines and ages are of this kind: a wall-clock step changes nothing.
using time_point = std::chrono::steady_clock::time_point;
/// A span on that clock.
using duration = std::chrono::steady_clock::duration;
/// A point on the wall clock. Only ever shown to people.
using wall_time = std::chrono::system_clock::time_point;

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The longest time that anybody is kept waiting: longer ones are as good as for ever.
inline constexpr duration longest_wait = std::chrono::hours{24 * 365};
/// A limit as a caller gave it, fit to be added to a time: what is negative is over already, `duration::max()` is
/// longest_wait.
constexpr duration as_limit(duration limit) noexcept {
  return std::clamp<duration>(limit, duration::zero(), longest_wait);
}

/// "2024-05-17T09:30:00Z": how a wall time is written wherever people read it.
std::string utc(wall_time t);

}  // namespace understudy
