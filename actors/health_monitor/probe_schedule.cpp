// When a server is probed next.
#include "understudy/actors/health_monitor/probe_schedule.hpp"
#include "understudy/actors/ports/backoff.hpp"

#include <algorithm>

namespace understudy::internal {
probe_schedule::probe_schedule(const schedule_options& options, random_source random, time_point now)
    : options_(options), random_(std::move(random)) {
  // Anywhere in the interval's second half: many monitors that start together spread out.
  const auto half = options_.healthy / 2;
  next_ = now + half + duration{static_cast<duration::rep>(static_cast<double>(half.count()) * random_())};
}

void probe_schedule::configure(const schedule_options& options, time_point now) {
  const bool sooner = options.healthy < options_.healthy;
  options_ = options;
  if (next_ != time_point::max() && sooner) next_ = std::min(next_, now + pause());
}

bool probe_schedule::on_result(bool alive, bool asked, time_point now) {
  failures_ = alive ? 0 : failures_ + 1;
  schedule(pause(), now);
  return alive || asked || breaker_ != breaker_state::closed || failures_ >= options_.failures_that_count;
}

void probe_schedule::on_nothing(time_point now) { schedule(pause(), now); }

void probe_schedule::on_breaker(breaker_state state, time_point now) {
  breaker_ = state;
  failures_ = state == breaker_state::open ? std::max(failures_, 1) : 0;
  if (state == breaker_state::suspended)
    next_ = time_point::max();
  else if (state == breaker_state::half_open)
    next_ = now;
  else
    schedule(pause(), now);
}

void probe_schedule::hasten(time_point now) {
  if (next_ != time_point::max())
    next_ = std::min(next_, now + jittered(options_.unhealthy_base, options_.jitter, random_));
}

duration probe_schedule::pause() const {
  if (breaker_ == breaker_state::half_open) return options_.half_open;
  if (failures_ == 0) return options_.healthy;
  return exponential_backoff(options_.unhealthy_base, static_cast<std::uint64_t>(failures_),
                             std::max(options_.unhealthy_base, options_.unhealthy_cap));
}

void probe_schedule::schedule(duration in, time_point now) {
  if (breaker_ != breaker_state::suspended) next_ = now + jittered(in, options_.jitter, random_);
}

}  // namespace understudy::internal
