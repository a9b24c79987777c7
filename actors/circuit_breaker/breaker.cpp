// The breaker of one server.
#include "understudy/actors/circuit_breaker/breaker.hpp"

#include "understudy/actors/ports/backoff.hpp"
#include "understudy/messages/time_units.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

/// A half-open breaker's answer to when to come again: a probe's or a trial's time, no more.
constexpr milliseconds half_open_retry{100};
/// More failures in a row are not counted: what is counted is forgotten within a bounded time.
constexpr int most_doublings = 20;
/// Expired permits that are remembered until their calls' outcomes come.
constexpr std::size_t most_expired = 64;
/// Successes are told so much later at the most: what is told later than that after a suspicion came after it.
constexpr milliseconds longest_delay_of_reports{150};

failure_ptr silent_probe() {
  return make_failure(errc::connection_timeout, stage::connect, "The probe of the half-open server did not come back.");
}

}  // namespace

breaker::breaker(breaker_options options, random_source random)
    : options_(options), random_(std::move(random)), window_(options.window) {}

void breaker::configure(const breaker_options& options) {
  if (options.window != options_.window) window_ = rate_window{options.window};
  const bool sooner = options.open_cap < options_.open_cap;
  options_ = options;
  if (sooner && silent_until_ != time_point{})
    silent_until_ = std::min(silent_until_, silent_since_ + options_.open_cap);
  if (sooner && state_ == breaker_state::open && until_ - since_ > options_.open_cap)
    until_ = std::min(until_, since_ + jittered(options_.open_cap, options_.open_jitter, random_));
}

void breaker::on_report(const outcome_report& report, const moment& at) {
  if (!current(report.generation)) return;
  if (report.trial) give_permit_back();
  if (report.ready || report.answered) {
    answered_at_ = at.now;
    heard_ = true;
  }
  if (report.ready) {  // the server has answered its bind
    silent_until_ = {};
    consecutive_ = 0;
  }
  if (report.silent) be_silent(at.now);
  if (report.successes > 0) note_successes(report.successes, at);
  // Those successes may have closed it: what failed in the generation before does not count in the new one.
  if (report.failed && counts_against_server(*report.failed) && current(report.generation)) {
    cause_ = {report.cause, at.wall};
    // No connection is left and none can be had: it is down now, whoever asks next.
    if (report.none_left && state_ == breaker_state::closed)
      open(at.now);
    else
      note_failure(at, report.open_since.has_value());
  }
}

void breaker::note_nothing_left(time_point now) { be_silent(now); }

void breaker::be_silent(time_point now) {
  silent_since_ = now;
  silent_until_ = now + options_.open_cap;
}

void breaker::note_successes(std::uint32_t count, const moment& at) {
  last_success_ = at.now;
  heard_ = true;
  silent_until_ = {};
  loses_requests_ = false;
  if (state_ == breaker_state::closed) {
    consecutive_ = lost_ = 0;
    window_.add(count, 0, at.now);
  } else if (state_ == breaker_state::half_open) {
    good_trials_ += count;
    if (good_trials_ >= options_.trials_to_close) enter(breaker_state::closed, at.now);
  }
}

/// `lost`: with requests that had been sent. A server may answer every bind, read of the root DSE and probe, and lose
/// every request: only an answered request ends that row.
void breaker::note_failure(const moment& at, bool lost) {
  if (state_ == breaker_state::half_open) {
    open(at.now);
  } else if (state_ == breaker_state::closed) {
    window_.add(0, 1, at.now);
    ++consecutive_;
    if (lost) ++lost_;
    loses_requests_ = lost_ >= options_.threshold;
    if (loses_requests_ || consecutive_ >= options_.threshold ||
        window_.failing(options_.minimum_calls, options_.failure_rate, at.now))
      open(at.now);
  }
}

probe_verdict verdict(const probe_report& report, other_servers others) {
  if (report.answers_others && others == other_servers::none) return probe_verdict::alive;
  return verdict(report);
}

void breaker::on_probe(const probe_report& report, const moment& at, bool needed, other_servers others) {
  const auto found = verdict(report, others);
  if (found == probe_verdict::nothing) return;
  if (found == probe_verdict::dead) {
    if (overtaken(report, at.now)) return;
    cause_ = {report.error, at.wall};
    // What was answered lately is no request for data, or that would not be in doubt.
    if (state_ == breaker_state::closed && (report.answers_others || !traffic_flows(at.now)))
      open(at.now);
    else
      note_failure(at);
    return;
  }
  heard_ = true;
  note_liveness();
  if (state_ == breaker_state::open && needed) half_open(at.now);
  // Probes were answered before, too, while every request was lost: then requests decide.
  if (state_ == breaker_state::half_open && ++good_probes_ >= options_.probes_to_close && !loses_requests_)
    enter(breaker_state::closed, at.now);
}

/// Better evidence than one probe. A suspicion is traffic that does not flow; what was answered after it came up is
/// not.
bool breaker::traffic_flows(time_point now) const noexcept {
  const bool after_suspicion = last_success_ > suspected_at_ + longest_delay_of_reports;
  return last_success_ != time_point{} && now - last_success_ < options_.trust && (!suspected(now) || after_suspicion);
}

/// It ran out of time, and the server, which may have been repaired since it began, has answered another meanwhile.
bool breaker::overtaken(const probe_report& report, time_point now) const noexcept {
  const bool late =
      report.error && (report.error->code == errc::connection_timeout || report.error->code == errc::operation_timeout);
  return state_ == breaker_state::closed && late && now - report.took < answered_at_ && suspected_at_ < answered_at_;
}

void breaker::note_liveness() noexcept {
  suspected_until_ = silent_until_ = {};
  consecutive_ = 0;
}

bool breaker::suspect(time_point now) {
  if (state_ != breaker_state::closed || suspected(now) || !probed_) return false;
  suspected_at_ = now;
  suspected_until_ = now + options_.suspicion_expiry + longer_;
  return true;
}

void breaker::suspend(duration ttl, time_point now) {
  if (state_ != breaker_state::suspended) {
    was_closed_ = state_ == breaker_state::closed;
    enter(breaker_state::suspended, now);
  }
  until_ = ttl > duration{} ? now + ttl : time_point::max();
}

void breaker::resume(time_point now) {
  if (state_ != breaker_state::suspended) return;
  if (was_closed_)
    enter(breaker_state::closed, now);
  else
    half_open(now);
}

void breaker::advance(const moment& at) {
  if (state_ == breaker_state::open && at.now >= until_) {
    half_open(at.now);
  } else if (state_ == breaker_state::suspended && at.now >= until_) {
    resume(at.now);
  } else if (state_ == breaker_state::half_open && probed_ && good_probes_ == 0 && at.now >= probe_due()) {
    cause_ = {silent_probe(), at.wall};
    open(at.now);
  }
}

time_point breaker::next_event() const {
  if (state_ == breaker_state::open || state_ == breaker_state::suspended) return until_;
  if (state_ == breaker_state::half_open && probed_ && good_probes_ == 0) return probe_due();
  return time_point::max();
}

bool breaker::usable(time_point now) const {
  if (state_ == breaker_state::half_open) return (!probed_ || good_probes_ > 0) && permits_out(now) < most_trials();
  return state_ == breaker_state::closed;
}

bool breaker::admit(time_point now, time_point deadline) {
  if (state_ != breaker_state::half_open) return false;
  if (permits_.size() >= most_trials() + most_expired) give_permit_back();
  permits_.push_back(std::min(deadline, now + options_.permit_expiry));
  return true;
}

server_state breaker::health(time_point now) const {
  switch (state_) {
    case breaker_state::closed:
      // One of which only failures are known has not shown that it is well.
      return suspected(now) || silent(now) || (cause_.what && !heard_) ? server_state::suspect : server_state::healthy;
    case breaker_state::half_open:
      // Where only requests can tell, good probes tell nothing.
      return good_trials_ > 0 || (good_probes_ > 0 && !loses_requests_) ? server_state::suspect : server_state::down;
    case breaker_state::open:
      return server_state::down;
    case breaker_state::suspended:
      break;
  }
  return server_state::suspended;
}

int breaker::flaps(time_point now) const { return std::max(0, flaps_ - forgotten(now)); }

std::optional<milliseconds> breaker::retry_after(time_point now) const {
  if (state_ == breaker_state::half_open) return half_open_retry;
  if (state_ == breaker_state::closed || (state_ == breaker_state::suspended && until_ == time_point::max()))
    return std::nullopt;
  return time_until(until_, now);
}

// Which of the trials it was is not known. Taken for the one that expires first, expired ones before all, it never
// leaves fewer permits counted than are out: a late outcome does not free somebody else's.
void breaker::give_permit_back() {
  if (const auto first = std::min_element(permits_.begin(), permits_.end()); first != permits_.end())
    permits_.erase(first);
}

std::size_t breaker::permits_out(time_point now) const {
  return static_cast<std::size_t>(
      std::count_if(permits_.begin(), permits_.end(), [&](time_point expiry) { return expiry > now; }));
}

int breaker::forgotten(time_point now) const {
  if (state_ != breaker_state::closed || options_.open_cap <= duration{}) return 0;
  return static_cast<int>(std::min<duration::rep>((now - since_) / options_.open_cap, 1000));
}

void breaker::enter(breaker_state next, time_point now) {
  backoff_ = std::max(0, backoff_ - forgotten(now));
  flaps_ = flaps(now);
  state_ = next;
  since_ = now;
  ++generation_;
  note_liveness();
  lost_ = 0;
  window_.clear();
  permits_.clear();
  good_probes_ = 0;
  good_trials_ = 0;
}

void breaker::open(time_point now) {
  const bool from_health = state_ == breaker_state::closed;
  enter(breaker_state::open, now);
  ++opened_;
  flaps_ += from_health ? 1 : 0;
  backoff_ = std::min(backoff_ + 1, most_doublings);
  const auto pause = exponential_backoff(options_.open_base, static_cast<std::uint64_t>(backoff_), options_.open_cap);
  until_ = now + jittered(pause, options_.open_jitter, random_);
}

void breaker::half_open(time_point now) { enter(breaker_state::half_open, now); }

}  // namespace understudy::internal
