// How long to wait after failing: exponential, capped, with full jitter, so that many clients spread out.
#pragma once
#include "understudy/actors/ports/random.hpp"
#include "understudy/messages/time.hpp"

#include <algorithm>
#include <cstdint>

namespace understudy::internal {

/// Uniform in [0, `most`); zero when `most` is not positive.
inline duration up_to(duration most, const random_source& random) {
  if (most <= duration::zero()) return duration::zero();
  return duration{static_cast<duration::rep>(static_cast<double>(most.count()) * random())};
}

/// base · 2^(failures−1), at most `cap`: the longest pause after so many failures in a row; zero after none. The one
/// place that doubles.
inline duration exponential_backoff(duration base, std::uint64_t failures, duration cap) noexcept {
  if (failures == 0) return duration::zero();
  auto limit = std::min(base, cap);
  for (std::uint64_t n = 1; n < failures && limit < cap && limit > duration::zero(); ++n)
    limit = limit > cap / 2 ? cap : limit * 2;
  return limit;
}

/// Delays between failing attempts: uniform in [0, min(cap, base · 2^(n−1))) after the n-th failure in a row.
class backoff {
 public:
  backoff(duration base, duration cap) noexcept : base_(base), cap_(cap) {}

  void set_base(duration base) noexcept { base_ = base; }
  /// Notes a failure; the delay until the next attempt.
  duration fail(const random_source& random);
  void succeed() noexcept { failures_ = 0; }
  std::uint32_t failures() const noexcept { return failures_; }
  /// The longest delay that fail() could return for the failures so far.
  duration ceiling() const noexcept { return exponential_backoff(base_, failures_, cap_); }

 private:
  duration base_, cap_;
  std::uint32_t failures_ = 0;
};

}  // namespace understudy::internal
