// How a server that recovered takes its share again.
#include "understudy/actors/circuit_breaker/failback.hpp"
#include "understudy/actors/ports/backoff.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

constexpr double first_share = 0.1;

}  // namespace

void failback::recovered(const failback_options& options, int flaps, bool replaced, time_point now) {
  recovered_at_ = now;
  flaps_ = std::max(flaps, 1);
  const auto end = end_of_hold_down(options);
  held_until_ = replaced ? end : time_point::min();
  settled_at_ = end + options.ramp;
}

time_point failback::end_of_hold_down(const failback_options& options) const {
  const auto longest = std::max(options.hold_down, options.hold_down_cap);
  return recovered_at_ + exponential_backoff(options.hold_down, static_cast<std::uint64_t>(flaps_), longest);
}

void failback::configure(const failback_options& options) {
  if (flaps_ == 0 || settled_at_ == time_point::max()) return;  // it never fell, or is down
  const auto end = end_of_hold_down(options);
  held_until_ = std::min(held_until_, end);
  settled_at_ = std::min(settled_at_, end + options.ramp);
}

void failback::fell() noexcept {
  held_until_ = time_point::min();
  settled_at_ = time_point::max();
}

double failback::share(const failback_options& options, time_point now) const {
  if (now >= held_until_ + options.ramp) return 1;
  if (now < held_until_) return 0;
  const double done = static_cast<double>((now - held_until_).count()) / static_cast<double>(options.ramp.count());
  return first_share + (1 - first_share) * done;
}

}  // namespace understudy::internal
