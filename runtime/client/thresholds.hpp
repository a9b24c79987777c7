// Which of the limits that a service set are not kept: a pure look at one snapshot.
#pragma once
#include "understudy/config/settings.hpp"
#include "understudy/messages/snapshot.hpp"
#include "understudy/runtime/results.hpp"

namespace understudy::internal {

performance_thresholds thresholds_of(const monitoring_settings& settings);

/// Percent of all requests that the directory did not fail; 100 without requests.
double success_rate(const operation_window& requests) noexcept;
/// Percent of `max_connections` in use; 0 for a pool that may have none.
double utilization(const pool_snapshot& pool) noexcept;

/// An alert, and which limit it is about: "the time of connects", the same while its numbers change.
struct missed_limit : performance_alert {
  std::string limit;
};

/// Every limit that is not kept, a value equal to its limit is normal still; each pool is looked at on its own, so an
/// idle standby does not hide a full primary. `average_connect`: of late, as recent_connects has it, zero when there
/// were none.
std::vector<missed_limit> check_thresholds(const runtime_snapshot& now, duration average_connect,
                                           const performance_thresholds& limits);

}  // namespace understudy::internal
