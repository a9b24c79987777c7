// What a breaker should be, said as plainly as possible: it remembers all that happened in its generation and judges by
// looking through that. Slow and simple, to compare the real one with.
#pragma once
#include "moments.hpp"

namespace understudy::test {

using namespace internal;

class breaker_model {
 public:
  explicit breaker_model(const breaker_options& options, bool probed) : options_(options), probed_(probed) {}

  void report(const outcome_report& r, time_point now);
  void probe(const probe_report& r, time_point now, bool needed);
  bool suspect(time_point now);
  void suspend(duration ttl, time_point now);
  void resume(time_point now);
  void advance(time_point now);

  breaker_state state() const { return state_; }
  std::uint32_t generation() const { return generation_; }
  /// It opened since too many requests in a row were lost, and none was answered: probes do not close it.
  bool loses_requests() const { return loses_requests_; }
  std::size_t permits() const { return loses_requests_ ? 1 : options_.permits; }
  bool heard() const { return heard_; }
  bool has_good_probe() const { return count(what::good_probe) > 0; }
  bool suspected(time_point now) const { return state_ == breaker_state::closed && suspected_ && now < *suspected_; }
  time_point since() const { return since_; }
  int flaps(time_point now) const { return std::max(0, flaps_ - healths(now)); }
  /// How long it should stay open, jitter apart.
  duration open_time() const;
  /// The jitter is drawn by the real one: its choice, once that was found to be within bounds.
  void stays_open_until(time_point when) { until_ = when; }

 private:
  /// `lost`: a connection ended with requests. `ready`: a new one was, so its bind was answered.
  enum class what : std::uint8_t { good, bad, lost, good_probe, ready };
  static bool is_failure(what kind) { return kind == what::bad || kind == what::lost; }
  struct event {
    time_point at{};
    what kind = what::good;
  };

  std::size_t count(what kind) const;
  void note(what kind, time_point now);
  bool should_open(time_point now) const;
  bool lost_too_many() const;
  int healths(time_point now) const;
  void enter(breaker_state next, time_point now);
  void open(time_point now);

  breaker_options options_;
  bool probed_;
  breaker_state state_ = breaker_state::closed;
  std::uint32_t generation_ = 1;
  std::vector<event> seen_;  ///< in this generation
  time_point since_{};
  std::optional<time_point> until_;  ///< open, or suspended for a while
  std::optional<time_point> suspected_at_, suspected_, last_good_;
  bool to_closed_ = true;  ///< where a suspension leads back to
  bool loses_requests_ = false;
  bool heard_ = false;  ///< it has answered something
  int opened_ = 0;      ///< n of base·2^(n−1)
  int flaps_ = 0;
};

}  // namespace understudy::test
