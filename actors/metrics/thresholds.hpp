// Which of the limits that a service set are not kept: a pure look at one snapshot.
#pragma once
#include "understudy/config/settings.hpp"
#include "understudy/messages/snapshot.hpp"

namespace understudy::internal {

/// Limits of what is normal; a value equal to its limit is normal still.
struct threshold_limits {
  double max_connection_time = 100;  ///< milliseconds that making a connection takes on average
  double min_success_rate = 95;      ///< percent of the requests of the last five minutes
  double max_pool_utilization = 80;  ///< percent of a pool's max_connections in use
};
threshold_limits limits_of(const monitoring_settings& settings);

/// One limit that is not kept.
struct threshold_breach {
  std::string message;  ///< a sentence with what, where, how much and the limit
  double current_value = 0;
  double threshold = 0;
};

/// Percent of all requests that the directory did not fail; 100 without requests.
double success_rate(const operation_window& requests) noexcept;
/// Percent of `max_connections` in use; 0 for a pool that may have none.
double utilization(const pool_snapshot& pool) noexcept;

/// Every limit that is not kept; each pool is looked at on its own, so an idle standby does not hide a full primary.
/// `average_connect`: zero when no connection was made yet.
std::vector<threshold_breach> check_thresholds(const runtime_snapshot& now, duration average_connect,
                                               const threshold_limits& limits);

}  // namespace understudy::internal
