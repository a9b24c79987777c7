// How a server that recovered takes its share again: a hold-down first, longer for one that flaps, then a ramp; at once
// where nothing that has been well for so long serves in its place.
#pragma once
#include "understudy/config/settings.hpp"

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
  /// Its breaker closed at `now` after having been open; it opened out of health `flaps` times lately. `replaced`: a
  /// settled server serves in its place. Without one there is nothing that waiting would protect.
  void recovered(const failback_options& options, int flaps, bool replaced, time_point now);
  /// Its breaker opened.
  void fell() noexcept;
  /// Other options from now on: a hold-down that has begun is not longer for them, and shorter when theirs is.
  void configure(const failback_options& options);
  /// No settled server serves in its place any more: hold-down and ramp are over.
  void take_over() noexcept { held_until_ = time_point::min(); }
  /// True when it has been well for as long as hold-down and ramp take, whether it was held down or not.
  bool settled(time_point now) const noexcept { return now >= settled_at_; }
  /// 0 while held down, 0.1 … 1 along the ramp, 1 in health. A server at 0 still serves when no other can.
  double share(const failback_options& options, time_point now) const;
  /// The end of the latest hold-down; time_point::min() since it fell, or when none was needed.
  time_point held_until() const noexcept { return held_until_; }

 private:
  time_point end_of_hold_down(const failback_options& options) const;

  time_point recovered_at_{};
  int flaps_ = 0;  ///< by then
  time_point held_until_ = time_point::min();
  time_point settled_at_ = time_point::min();
};

}  // namespace understudy::internal
