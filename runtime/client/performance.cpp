// What get_metrics() says of a snapshot: see performance.hpp.
#include "understudy/runtime/client/performance.hpp"

#include "understudy/messages/time_units.hpp"
#include "understudy/runtime/client/thresholds.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace understudy::internal {
namespace {

duration time_of(const timeval& t) { return seconds{t.tv_sec} + std::chrono::microseconds{t.tv_usec}; }

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// Work that needed no new connection, of all work that needed one.
double reuse_rate(const pool_snapshot& pool) {
  const auto uses = pool.acquired + pool.dispatched;
  return share(uses - std::min(uses, pool.fresh), uses);
}

pool_snapshot sum_of(const runtime_snapshot& now) {
  pool_snapshot sum;
  for (auto& server : now.servers) {
    sum.now.size += server.pool.now.size;
    sum.now.in_use += server.pool.now.in_use;
    sum.max_connections += server.pool.max_connections;
    sum.acquired += server.pool.acquired;
    sum.dispatched += server.pool.dispatched;
    sum.fresh += server.pool.fresh;
  }
  return sum;
}

}  // namespace

resource_use resources_now() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return {static_cast<double>(use.ru_maxrss) / 1024, time_of(use.ru_utime) + time_of(use.ru_stime)};
}

double cpu_meter::look(duration used, time_point now) noexcept {
  const auto span = now - since_;
  if (span <= duration::zero()) return 0;
  const auto percent = 100 * in_milliseconds(used - used_) / in_milliseconds(span);
  if (span >= shortest_interval) {
    used_ = used;
    since_ = now;
  }
  return percent;
}

performance_result performance_of(const runtime_snapshot& now, const resource_use& used, double cpu) {
  const auto pools = sum_of(now);
  performance_result result;
  result.total_operations = now.operations.total;
  result.successful_operations = now.operations.succeeded;
  result.failed_operations = now.operations.failed;
  result.directory_failures = now.operations.failed_by_directory;
  result.success_rate = success_rate({now.operations.total, now.operations.failed_by_directory});
  result.success_rate_1m = success_rate(now.operations.last_minute);
  result.success_rate_5m = success_rate(now.operations.last_five_minutes);
  if (now.operations.total > 0)
    result.average_duration =
        in_milliseconds(now.operations.duration_total) / static_cast<double>(now.operations.total);
  result.pool_size = pools.now.size;
  result.pool_utilization = utilization(pools);
  result.connection_reuse_rate = reuse_rate(pools);
  result.memory_peak_mb = used.memory_peak_mb;
  result.cpu_usage_percent = cpu;
  return result;
}

pool_metrics pool_metrics_of(const pool_snapshot& pool) {
  pool_metrics result;
  result.pool_size = pool.now.size;
  result.utilization = utilization(pool);
  result.reuse_rate = reuse_rate(pool);
  if (pool.acquired > 0)
    result.avg_acquisition_time = in_milliseconds(pool.acquisition_time) / static_cast<double>(pool.acquired);
  result.acquired = pool.acquired;
  result.released = pool.released;
  result.leased = pool.leased;
  return result;
}

}  // namespace understudy::internal
