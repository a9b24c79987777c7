// How a pool's policy follows from the settings.
#include "understudy/actors/pool/policy.hpp"

#include "understudy/config/settings_from.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

std::uint32_t at_least(int floor, int value) { return static_cast<std::uint32_t>(std::max(floor, value)); }

/// With `use_pool = false` requests share one connection (and users' binds another), opened when it is needed; each
/// lease that finds it taken gets a new one.
void make_single(pool_policy& p) {
  p.single = true;
  p.min = 0;
  p.max_bind = 1;
  p.preload = false;
}

}  // namespace

pool_policy policy_of(const settings& all, const connection_info& server, server_id id, std::string name) {
  pool_policy p;
  const auto pool = pool_for(all, server);
  p.server = id;
  p.server_name = std::move(name);
  p.max = at_least(1, pool.max_connections);
  p.max_pooled = p.max;
  p.min = std::min(at_least(0, pool.min_connections), p.max);
  p.max_bind = at_least(1, pool.bind_connections);
  p.max_in_flight = at_least(1, pool.max_in_flight);
  p.max_waiters = at_least(0, pool.max_waiters);
  p.max_connecting = at_least(1, pool.max_connecting);
  p.max_attempts = at_least(0, server.max_retries);
  p.wait_timeout = pool.timeout;
  p.failover_timeout = all.servers.size() > 1 ? all.failover.failover_timeout : duration::zero();
  p.suspect_after = std::min(p.failover_timeout, all.breaker.suspect_after);
  p.connect_timeout = server.timeout;
  p.setup_patience = all.breaker.suspect_after;
  p.longest_setup_patience = all.breaker.open_cap;
  p.max_idle_time = pool.max_idle_time;
  p.max_lifetime = pool.max_lifetime;
  p.leak_threshold = pool.leak_threshold;
  p.validate_interval = pool.health_check_interval;
  p.retry_base = server.retry_delay;
  p.preload = pool.preload_connections;
  p.reconnect = all.recovery.auto_reconnect;
  p.standby = std::any_of(all.servers.begin(), all.servers.end(),
                          [&](const connection_info& other) { return other.priority < server.priority; });
  if (!pool.use_pool) make_single(p);
  return p;
}

}  // namespace understudy::internal
