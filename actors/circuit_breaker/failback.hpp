// How a server that recovered takes its share again: a hold-down first, longer for one that flaps, then a ramp.
#pragma once
#include "understudy/config/settings.hpp"

#include <optional>

namespace understudy::internal {

/// How slowly a recovered server is trusted.
struct failback_options {
  /// False: requests stay at the level that serves until that fails.
  bool automatic = failover_settings{}.auto_failback;
  duration hold_down = failover_settings{}.hold_down;  ///< after its breaker closed; doubles for each further flap
  duration hold_down_cap = seconds{300};
  duration ramp = failover_settings{}.ramp;  ///< from a tenth to all of its share
};

/// The share of its requests that one server takes now.
class failback {
 public:
  /// Its breaker closed at `now` after having been open; it opened out of health `flaps` times lately.
  void recovered(const failback_options& options, int flaps, time_point now);
  /// Its breaker opened.
  void fell() noexcept { held_until_.reset(); }
  /// 0 while held down, 0.1 … 1 along the ramp, 1 in health. A server at 0 still serves when no other can.
  double share(const failback_options& options, time_point now) const;
  /// The end of the latest hold-down; nothing since it fell.
  std::optional<time_point> held_until() const noexcept { return held_until_; }

 private:
  std::optional<time_point> held_until_;
};

}  // namespace understudy::internal
