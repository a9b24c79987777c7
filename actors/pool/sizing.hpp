// How many connections a pool should have: arithmetic only.
#pragma once
#include "understudy/messages/time.hpp"

#include <cstdint>
#include <limits>

namespace understudy::internal {

/// What is asked of a pool's ordinary (not bind) connections at one moment.
struct pool_demand {
  std::uint32_t floor = 0;          ///< to keep even when nobody asks
  std::uint32_t ceiling = 0;        ///< never more
  std::uint32_t occupied = 0;       ///< leased, reserved for a lease, or being reset after one
  std::uint32_t lease_waiters = 0;  ///< leases without a connection of their own yet, reserved ones included
  std::uint32_t shared_load = 0;    ///< shared operations in flight and waiting
  std::uint32_t max_in_flight = 1;
  std::uint32_t max_sharing = std::numeric_limits<std::uint32_t>::max();  ///< connections for shared operations
};

/// Shared operations on one connection above which another one is worth opening: half of what it may carry.
std::uint32_t comfortable_load(std::uint32_t max_in_flight) noexcept;

/// How many ordinary connections would serve `d` well; between its floor and its ceiling. A lease takes one; shared
/// operations are multiplexed, so fifty of them ask for a few connections, not for fifty.
std::uint32_t target_size(const pool_demand& d) noexcept;

/// How many connects may run at once because somebody waits: one at first (what runs now is likely to end before a
/// connect would), `most` once the oldest waiter has waited for as long as a connect takes, or when nothing is open
/// yet.
std::uint32_t growth_width(duration oldest_wait, duration typical_connect, bool nothing_open,
                           std::uint32_t most) noexcept;

}  // namespace understudy::internal
