// What get_metrics() and check_performance() say of a snapshot; plain arithmetic.
#pragma once
#include "understudy/messages/snapshot.hpp"
#include "understudy/runtime/results.hpp"

namespace understudy {

/// What the process used, by getrusage(2).
struct resource_use {
  double memory_peak_mb = 0;
  duration cpu{};  ///< of all its threads, user and system
};
resource_use resources_now();

/// `cpu`, `span`: CPU time used in the last interval, and its length, for `cpu_usage_percent` (100: one core).
performance_result performance_of(const runtime_snapshot& now, const resource_use& used, duration cpu, duration span);

/// Every limit that is not kept.
std::vector<performance_alert> alerts_of(const runtime_snapshot& now, duration average_connect,
                                         const performance_thresholds& limits);

/// One pool's metrics.
pool_metrics pool_metrics_of(const pool_snapshot& pool);

}  // namespace understudy
