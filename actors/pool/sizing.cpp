// The arithmetic of a pool's size.
#include "understudy/actors/pool/sizing.hpp"

#include <algorithm>
#include <cassert>

namespace understudy::internal {

std::uint32_t comfortable_load(std::uint32_t max_in_flight) noexcept {
  assert(max_in_flight > 0);
  return std::max(1U, max_in_flight / 2);
}

std::uint32_t target_size(const pool_demand& d) noexcept {
  assert(d.max_in_flight > 0);
  const std::uint64_t each = comfortable_load(d.max_in_flight);
  const auto sharing = std::min<std::uint64_t>((d.shared_load + each - 1) / each, d.max_sharing);
  const std::uint64_t wanted = std::uint64_t{d.occupied} + d.lease_waiters + sharing;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(std::max<std::uint64_t>(wanted, d.floor), d.ceiling));
}

std::uint32_t growth_width(duration oldest_wait, duration typical_connect, bool nothing_open,
                           std::uint32_t most) noexcept {
  return nothing_open || oldest_wait >= typical_connect ? most : std::min(1U, most);
}

}  // namespace understudy::internal
