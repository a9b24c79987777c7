// The arithmetic of the backoff.
#include "understudy/actors/pool/backoff.hpp"

#include <algorithm>

namespace understudy {

duration backoff::ceiling() const noexcept {
  if (failures_ == 0) return duration::zero();
  auto limit = std::min(base_, cap_);
  for (std::uint32_t n = 1; n < failures_ && limit < cap_; ++n) limit = std::min(limit * 2, cap_);
  return limit;
}

duration backoff::fail(const random_source& random) {
  ++failures_;
  return up_to(ceiling(), random);
}

}  // namespace understudy
