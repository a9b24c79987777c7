// When a server is probed next, and whether what was found is worth telling.
#pragma once
#include "understudy/actors/ports/random.hpp"
#include "understudy/config/settings.hpp"
#include "understudy/messages/snapshot.hpp"

namespace understudy::internal {

/// How often one server is probed.
struct schedule_options {
  duration healthy = failover_settings{}.health_check_interval;  ///< between probes while all is well
  duration unhealthy_base = seconds{1};    ///< after the first failed probe; doubles each time …
  duration unhealthy_cap = seconds{10};    ///< … up to this
  duration half_open = milliseconds{200};  ///< between the probes that let a breaker close
  double jitter = 0.1;                     ///< more or less by this fraction
  int failures_that_count = 2;             ///< failed probes in a row that count while the breaker is closed
};

/// The schedule of one server, on injected time. Follows its breaker: none while suspended, at once when half open, a
/// bounded trickle while open.
class probe_schedule {
 public:
  /// The first probe is due within one interval.
  probe_schedule(const schedule_options& options, random_source random, time_point now);

  /// Other options from now on; a shorter interval counts at once.
  void configure(const schedule_options& options, time_point now);
  /// When the next probe is due; time_point::max() while suspended.
  time_point next() const noexcept { return next_; }
  /// True when a standing connection is worth keeping.
  bool healthy() const noexcept { return breaker_ == breaker_state::closed && failures_ == 0; }
  bool breaker_closed() const noexcept { return breaker_ == breaker_state::closed; }

  /// A probe ended at `now`. True when the breaker is to be told: always, except of a failed probe that nobody asked
  /// for while it is closed and fewer than `failures_that_count` have failed in a row.
  bool on_result(bool alive, bool asked, time_point now);
  /// A probe could not be made, or says nothing.
  void on_nothing(time_point now);
  void on_breaker(breaker_state state, time_point now);
  /// The standing connection was lost: look soon.
  void hasten(time_point now);

 private:
  duration pause() const;
  void schedule(duration in, time_point now);

  schedule_options options_;
  random_source random_;
  breaker_state breaker_ = breaker_state::closed;
  int failures_ = 0;  ///< in a row
  time_point next_ = time_point::max();
};

}  // namespace understudy::internal
