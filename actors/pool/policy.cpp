// How a pool's policy follows from the settings.
#include "understudy/actors/pool/policy.hpp"

#include "understudy/config/settings_from.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

// A write takes longer than to encode so many, and a server reads them at once; more would wait for each other there.
constexpr std::uint32_t together = 4;

std::uint32_t at_least(int floor, int value) { return static_cast<std::uint32_t>(std::max(floor, value)); }

bool is_global_catalog(const connection_info& server) noexcept { return server.role == server_role::global_catalog; }

/// True when other servers take what this one does not. Of a global catalog all others do, of others no global catalog.
bool has_others(const settings& all, const connection_info& server) {
  const auto taking = std::count_if(all.servers.begin(), all.servers.end(),
                                    [](const connection_info& each) { return !is_global_catalog(each); });
  return all.servers.size() > 1 && (is_global_catalog(server) || taking > 1);
}

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
  p.most_together = together;
  p.max_waiters = at_least(0, pool.max_waiters);
  p.max_connecting = at_least(1, pool.max_connecting);
  p.max_attempts = at_least(0, server.max_retries);
  p.wait_timeout = pool.timeout;
  p.failover_timeout = has_others(all, server) ? all.failover.failover_timeout : duration::zero();
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
  p.standby = std::any_of(all.servers.begin(), all.servers.end(), [&](const connection_info& other) {
    return is_global_catalog(other) == is_global_catalog(server) && other.priority < server.priority;
  });
  if (!pool.use_pool) make_single(p);
  return p;
}

}  // namespace understudy::internal
