// What get_metrics() says of a snapshot; plain arithmetic.
#pragma once
#include "understudy/messages/snapshot.hpp"
#include "understudy/runtime/results.hpp"

namespace understudy::internal {

/// What the process used, by getrusage(2).
struct resource_use {
  double memory_peak_mb = 0;
  duration cpu{};  ///< of all its threads, user and system
};
resource_use resources_now();

/// CPU use of the time since the last look; not thread-safe.
class cpu_meter {
 public:
  /// Looks at shorter intervals say more about themselves than about the service: they begin none.
  static constexpr duration shortest_interval = seconds{1};

  cpu_meter(duration used, time_point now) noexcept : used_(used), since_(now) {}
  /// Percent of one core, from the last look that was at least `shortest_interval` after the one before it.
  double look(duration used, time_point now) noexcept;

 private:
  duration used_;
  time_point since_;
};

/// `cpu`: percent of one core.
performance_result performance_of(const runtime_snapshot& now, const resource_use& used, double cpu);

/// One pool's metrics.
pool_metrics pool_metrics_of(const pool_snapshot& pool);

}  // namespace understudy::internal
