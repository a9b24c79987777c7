// Keeps what ended for who asks in time: see operation_tap.hpp.
#include "understudy/actors/metrics/operation_tap.hpp"

#include "understudy/messages/result.hpp"

#include <algorithm>

namespace understudy::internal {

void operation_tap::note(operation_sample sample, duration took, const clock_port& clock) {
  const auto now = clock.now();
  sample.at = clock.wall_now();
  sample.took = took;
  const std::lock_guard lock{mutex_};
  const auto number = next_++;
  if (now - second_began_ >= seconds{1}) {
    second_began_ = now;
    in_second_ = 0;
  }
  if (++in_second_ > most_each_second) return;
  if (kept_.size() >= most_kept) kept_.pop_front();
  kept_.push_back({number, std::move(sample)});
}

void operation_tap::watch(time_point now) {
  if (!is_watched(now)) kept_.clear();
  until_.store((now + watched_for).time_since_epoch().count(), relaxed);
}

operation_samples operation_tap::begin(time_point now) {
  const std::lock_guard lock{mutex_};
  watch(now);
  operation_samples none;
  none.next = next_;
  return none;
}

/// Those of one reader may be others' too, so nothing is taken out: what is old makes room for what comes.
operation_samples operation_tap::since(std::uint64_t from, time_point now) {
  const std::lock_guard lock{mutex_};
  watch(now);
  from = std::min(from, next_);
  operation_samples found;
  found.next = next_;
  const auto first =
      std::lower_bound(kept_.begin(), kept_.end(), from,
                       [](const kept_sample& each, std::uint64_t number) { return each.number < number; });
  for (auto at = first; at != kept_.end(); ++at) found.samples.push_back(at->sample);
  found.dropped = next_ - from - found.samples.size();
  return found;
}

operation_sample sample_of(std::string_view operation, const result* answer, const failure* why) {
  constexpr std::string_view relayed = "relayed ";
  if (operation.starts_with(relayed)) operation.remove_prefix(relayed.size());
  operation_sample sample;
  sample.operation = operation;
  if (answer) {
    sample.code = answer->code;
    sample.server = answer->server;
  } else if (why) {
    sample.code = why->ldap_code;
    sample.error = to_string(why->code);
    sample.server = why->server;
  }
  return sample;
}

}  // namespace understudy::internal
