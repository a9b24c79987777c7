// How a server that recovered takes its share again.
#include "understudy/actors/circuit_breaker/failback.hpp"

#include <algorithm>

namespace understudy {
namespace {

constexpr double first_share = 0.1;
constexpr int most_doublings = 10;

}  // namespace

void failback::recovered(const failback_options& options, int flaps, time_point now) {
  const int doublings = std::clamp(flaps - 1, 0, most_doublings);
  const auto longest = std::max(options.hold_down, options.hold_down_cap);
  held_until_ = now + std::min(options.hold_down * (1 << doublings), longest);
}

double failback::share(const failback_options& options, time_point now) const {
  if (!held_until_ || now >= *held_until_ + options.ramp) {
    return 1;
  }
  if (now < *held_until_) {
    return 0;
  }
  const double done = static_cast<double>((now - *held_until_).count()) / static_cast<double>(options.ramp.count());
  return first_share + (1 - first_share) * done;
}

}  // namespace understudy
