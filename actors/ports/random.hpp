// Random numbers for jitter and for choices, injected so that tests repeat.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>

namespace understudy::internal {

/// A number in [0, 1), another at each call.
using random_source = std::function<double()>;

/// A source that always gives the same sequence for one seed (SplitMix64). Copies draw from one sequence; not
/// thread-safe.
inline random_source make_random(std::uint64_t seed) {
  return [state = std::make_shared<std::uint64_t>(seed)] {
    std::uint64_t z = (*state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return static_cast<double>((z ^ (z >> 31U)) >> 11U) * 0x1.0p-53;
  };
}

/// `span`, more or less by at most `fraction` of it.
template <class Duration>
Duration jittered(Duration span, double fraction, const random_source& random) {
  const double factor = 1 + fraction * (2 * random() - 1);
  return Duration{static_cast<typename Duration::rep>(static_cast<double>(span.count()) * factor)};
}

}  // namespace understudy::internal
