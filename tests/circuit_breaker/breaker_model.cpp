// The breaker as it should be.
#include "breaker_model.hpp"

#include <algorithm>
#include <cmath>

namespace understudy::test {

using namespace internal;

std::size_t breaker_model::count(what kind) const {
  return static_cast<std::size_t>(
      std::count_if(seen_.begin(), seen_.end(), [&](const event& e) { return e.kind == kind; }));
}

/// Only an answered request tells that requests are answered.
bool breaker_model::lost_too_many() const {
  const auto answered = std::find_if(seen_.rbegin(), seen_.rend(), [](const event& e) { return e.kind == what::good; });
  return std::count_if(seen_.rbegin(), answered, [](const event& e) { return e.kind == what::lost; }) >=
         options_.threshold;
}

bool breaker_model::should_open(time_point now) const {
  if (state_ == breaker_state::half_open) return true;
  // An answer proves life, whoever was answered.
  const auto answered = std::find_if(seen_.rbegin(), seen_.rend(), [](const event& e) { return !is_failure(e.kind); });
  if (answered - seen_.rbegin() >= options_.threshold || lost_too_many()) return true;
  // The window leaves a tenth at a time.
  const auto tenth = options_.window / 10;
  std::uint64_t calls = 0, failures = 0;
  for (const auto& e : seen_) {
    if ((e.kind != what::good && !is_failure(e.kind)) ||
        e.at.time_since_epoch() / tenth < now.time_since_epoch() / tenth - 9)
      continue;
    ++calls;
    if (is_failure(e.kind)) ++failures;
  }
  return calls >= options_.minimum_calls && 100 * failures >= calls * static_cast<std::uint64_t>(options_.failure_rate);
}

void breaker_model::note(what kind, time_point now) {
  if (state_ != breaker_state::closed && state_ != breaker_state::half_open) return;
  seen_.push_back({now, kind});
  if (is_failure(kind) && should_open(now)) {
    if (state_ == breaker_state::closed) loses_requests_ = lost_too_many();
    return open(now);
  }
  const bool probes_suffice = count(what::good_probe) >= options_.probes_to_close && !loses_requests_;
  if (state_ == breaker_state::half_open && kind != what::ready &&
      ((kind == what::good && count(what::good) >= options_.trials_to_close) ||
       (kind == what::good_probe && probes_suffice)))
    enter(breaker_state::closed, now);
}

void breaker_model::report(const outcome_report& r, time_point now) {
  const auto belongs = [&] { return r.generation == 0 || r.generation == generation_; };
  if (!belongs()) return;
  heard_ = heard_ || r.ready || r.answered || r.successes > 0;
  if (r.successes > 0) last_good_ = now, loses_requests_ = false;
  if (r.ready) note(what::ready, now);
  // Those behind the one that closes it belong to the time before.
  const auto before = generation_;
  for (std::uint32_t i = 0; i < r.successes && generation_ == before; ++i) note(what::good, now);
  if (r.failed && counts_against_server(*r.failed) && belongs()) note(r.open_since ? what::lost : what::bad, now);
}

void breaker_model::probe(const probe_report& r, time_point now, bool needed) {
  switch (verdict(r)) {
    case probe_verdict::nothing:
      return;
    case probe_verdict::alive:
      suspected_.reset();
      heard_ = true;
      if (state_ == breaker_state::open && needed) enter(breaker_state::half_open, now);
      return note(what::good_probe, now);
    case probe_verdict::dead:
      // What is told within 150 ms of a suspicion may have been answered before it.
      const bool doubtful = suspected(now) && last_good_ && *last_good_ - *suspected_at_ <= milliseconds{150};
      const bool traffic_flows = !r.answers_others && !doubtful && last_good_ && now - *last_good_ < options_.trust;
      if (state_ == breaker_state::closed && !traffic_flows)
        open(now);
      else
        note(what::bad, now);
  }
}

bool breaker_model::suspect(time_point now) {
  if (state_ != breaker_state::closed || suspected(now) || !probed_) return false;
  suspected_at_ = now;
  suspected_ = now + options_.suspicion_expiry;
  return true;
}

void breaker_model::suspend(duration ttl, time_point now) {
  if (state_ != breaker_state::suspended) {
    to_closed_ = state_ == breaker_state::closed;
    enter(breaker_state::suspended, now);
  }
  until_ = ttl > duration{} ? std::optional{now + ttl} : std::nullopt;
}

void breaker_model::resume(time_point now) {
  if (state_ == breaker_state::suspended) enter(to_closed_ ? breaker_state::closed : breaker_state::half_open, now);
}

void breaker_model::advance(time_point now) {
  if (state_ == breaker_state::open && now >= *until_) {
    enter(breaker_state::half_open, now);
  } else if (state_ == breaker_state::suspended && until_ && now >= *until_) {
    resume(now);
  } else if (state_ == breaker_state::half_open && probed_ && !has_good_probe() &&
             now >= since_ + options_.probe_expiry) {
    open(now);
  }
}

int breaker_model::healths(time_point now) const {
  return state_ == breaker_state::closed ? static_cast<int>((now - since_) / options_.open_cap) : 0;
}

void breaker_model::enter(breaker_state next, time_point now) {
  flaps_ = flaps(now);
  opened_ = std::max(0, opened_ - healths(now));
  state_ = next;
  ++generation_;
  since_ = now;
  seen_.clear();
  suspected_.reset();
  until_.reset();
}

void breaker_model::open(time_point now) {
  const bool from_health = state_ == breaker_state::closed;
  enter(breaker_state::open, now);
  opened_ = std::min(opened_ + 1, 20);
  if (from_health) ++flaps_;
  until_ = now;
}

duration breaker_model::open_time() const {
  const double doubled = static_cast<double>(options_.open_base.count()) * std::pow(2.0, opened_ - 1);
  return duration{static_cast<duration::rep>(std::min(doubled, static_cast<double>(options_.open_cap.count())))};
}

}  // namespace understudy::test
