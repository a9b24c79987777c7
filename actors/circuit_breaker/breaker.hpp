// The breaker of one server: a state machine on injected time that decides whether requests may go there.
#pragma once
#include "understudy/actors/circuit_breaker/rate_window.hpp"
#include "understudy/actors/ports/random.hpp"
#include "understudy/config/settings.hpp"
#include "understudy/messages/event.hpp"

namespace understudy::internal {

/// One moment on both clocks: the monotonic one decides, the wall clock is for people.
struct moment {
  time_point now{};
  wall_time wall{};
};

/// When a breaker opens and closes.
struct breaker_options {
  /// Consecutive failures that open it.
  int threshold = breaker_settings{}.circuit_breaker_threshold;
  int failure_rate = breaker_settings{}.failure_rate;  ///< percent that opens it, of …
  std::uint64_t minimum_calls = 20;                    ///< … at least so many calls …
  duration window = breaker_settings{}.window;         ///< … in this time
  duration open_base = breaker_settings{}.open_base;   ///< how long it stays open at first; doubles each time …
  duration open_cap = breaker_settings{}.open_cap;     ///< … up to this; so long in health takes one doubling back
  double open_jitter = 0.2;                            ///< more or less by this fraction
  std::size_t permits = 3;                             ///< trial calls at a time when half open
  std::uint32_t trials_to_close = 3;                   ///< trial calls that must succeed …
  std::uint32_t probes_to_close = 2;  ///< … or probes, unless it lost requests beside answered probes
  duration permit_expiry =
      breaker_settings{}.slow_call;        ///< a trial call not heard of for so long gives its permit back
  duration probe_expiry = seconds{12};     ///< a half-open breaker whose probe is silent for so long opens again
  duration suspicion_expiry = seconds{2};  ///< a suspicion without a probe's answer for so long is forgotten
  /// A success so young outweighs one failed probe that nobody asked for.
  duration trust = breaker_settings{}.suspect_after;
};

/// Why and when.
struct breaker_cause {
  failure_ptr what;
  wall_time at{};
};

/// Whether another server, from which something was heard lately, would take the place of the one in question.
enum class other_servers : std::uint8_t { serve, none };

/// What a probe says of its server. One that leaves some requests unanswered may answer others: where nothing else
/// would, it lives.
probe_verdict verdict(const probe_report& report, other_servers others);

/// Closed, open, half open or suspended. Each change of state starts a new generation: results of calls that were let
/// through in an earlier one do not count; generation 0 in a report stands for "now".
class breaker {
 public:
  breaker(breaker_options options, random_source random);

  /// Other options from now on; the state stays, and open or silent it is for the new `open_cap` at most.
  void configure(const breaker_options& options);
  /// With a health monitor at hand a half-open breaker waits for a probe; without one it gives permits at once.
  void set_probed(bool probed) noexcept { probed_ = probed; }

  /// What became of calls; also gives a trial call's permit back.
  void on_report(const outcome_report& report, const moment& at);
  /// What a probe found. A refusal of the service's own credentials is no failure of the server. `needed`: nothing else
  /// serves, so an open breaker becomes half open at a good probe and does not sit out its time.
  void on_probe(const probe_report& report, const moment& at, bool needed, other_servers others = other_servers::serve);
  /// Probes of this server may take so much longer than others: it is usually that slow.
  void allow(duration longer) noexcept { longer_ = longer; }
  /// Connections are silent there. True when the server is to be probed: closed, and no such probe is under way.
  bool suspect(time_point now);
  /// By hand; `ttl` zero: until resumed.
  void suspend(duration ttl, time_point now);
  /// Back to closed, or half open if it was not closed when it was suspended. Nothing when it is not suspended.
  void resume(time_point now);
  /// Does what is due.
  void advance(const moment& at);
  /// When advance() has something to do next; time_point::max(): never.
  time_point next_event() const;

  /// No connection is left there and none could be had, which is not enough to open it: nothing else could serve.
  void note_nothing_left(time_point now);

  /// True when a call may go there now: closed, or half open with a permit left.
  bool usable(time_point now) const;
  /// Takes a permit when half open (until `deadline` or `permit_expiry`); true when the call is a trial.
  bool admit(time_point now, time_point deadline);
  /// It is half open, and only calls can tell whether it is well: probes were answered when it lost requests, too.
  bool trial_due() const noexcept { return state_ == breaker_state::half_open && loses_requests_; }
  /// A trial call ended, or was not sent after all.
  void give_permit_back();

  breaker_state state() const noexcept { return state_; }
  /// For people: only what has answered is healthy; see untried().
  server_state health(time_point now) const;
  /// It has answered something, at any time.
  bool heard() const noexcept { return heard_; }
  /// Nothing has been heard from it, good or bad.
  bool untried() const noexcept { return !heard_ && !cause_.what; }
  bool suspected(time_point now) const { return state_ == breaker_state::closed && now < suspected_until_; }
  /// Nobody who waited there got a connection, or none can be had, and nothing has shown life since: others come first.
  bool silent(time_point now) const {
    return (state_ == breaker_state::closed || state_ == breaker_state::half_open) && now < silent_until_;
  }
  std::uint32_t generation() const noexcept { return generation_; }
  std::uint64_t opened() const noexcept { return opened_; }
  /// How often it opened out of health lately; one is forgotten for each `open_cap` in health.
  int flaps(time_point now) const;
  /// The latest failure that counted.
  const breaker_cause& cause() const noexcept { return cause_; }
  /// When it is worth to try again; nothing when closed, or suspended without end.
  std::optional<milliseconds> retry_after(time_point now) const;

 private:
  bool current(std::uint32_t generation) const noexcept { return generation == 0 || generation == generation_; }
  void note_successes(std::uint32_t count, const moment& at);
  void note_failure(const moment& at, bool lost = false);
  void note_liveness() noexcept;
  void be_silent(time_point now);
  bool traffic_flows(time_point now) const noexcept;
  bool overtaken(const probe_report& report, time_point now) const noexcept;
  time_point probe_due() const noexcept { return since_ + options_.probe_expiry + longer_; }
  std::size_t permits_out(time_point now) const;
  std::size_t most_trials() const noexcept { return loses_requests_ ? 1 : options_.permits; }
  int forgotten(time_point now) const;
  void enter(breaker_state next, time_point now);
  void open(time_point now);
  void half_open(time_point now);

  breaker_options options_;
  random_source random_;
  rate_window window_;
  breaker_state state_ = breaker_state::closed;
  std::uint32_t generation_ = 1;
  time_point since_{};  ///< of the state
  time_point
      until_{};  ///< open: when it becomes half open; suspended: when it is resumed, time_point::max() by command alone
  time_point suspected_at_{}, suspected_until_{}, silent_since_{}, silent_until_{};
  duration longer_{};  ///< that probes may take
  time_point last_success_{}, answered_at_{};
  bool heard_ = false;           ///< it has answered something
  int consecutive_ = 0;          ///< failures in a row
  int lost_ = 0;                 ///< ends of connections that carried requests, since a request was answered
  bool loses_requests_ = false;  ///< that row opened it, and no request was answered since
  int backoff_ = 0;              ///< n in base·2^(n−1)
  int flaps_ = 0;
  std::uint64_t opened_ = 0;
  bool probed_ = false;
  bool was_closed_ = true;  ///< before it was suspended
  std::uint32_t good_probes_ = 0, good_trials_ = 0;
  std::vector<time_point> permits_;  ///< when each expires; also expired ones whose call did not end yet
  breaker_cause cause_;
};

}  // namespace understudy::internal
