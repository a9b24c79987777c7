// How a server that recovered takes its share again.
#include "understudy/actors/circuit_breaker/failback.hpp"
#include "understudy/actors/ports/backoff.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

constexpr double first_share = 0.1;

}  // namespace

void failback::recovered(const failback_options& options, int flaps, bool replaced, time_point now) {
  const auto longest = std::max(options.hold_down, options.hold_down_cap);
  const auto end =
      now + exponential_backoff(options.hold_down, static_cast<std::uint64_t>(std::max(flaps, 1)), longest);
  held_until_ = replaced ? end : time_point::min();
  settled_at_ = end + options.ramp;
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
