// Settings from servers given in code.
#include "understudy/config/settings_from.hpp"

#include <algorithm>

namespace understudy::internal {

namespace {

void order_by_place(std::vector<connection_info>& servers) {
  const bool same = std::all_of(servers.begin(), servers.end(),
                                [&](const connection_info& each) { return each.priority == servers.front().priority; });
  if (!same || servers.size() < 2) return;
  int priority = 0;
  for (auto& each : servers) each.priority = ++priority;
}

void take_numbers(pool_settings& pool, const connection_info& server) {
  pool.min_connections = server.pool_size;
  pool.max_connections = server.max_pool_size;
  pool.timeout = server.pool_timeout;
}

}  // namespace

settings settings_from(const std::vector<connection_info>& servers) {
  settings all;
  all.servers = servers;
  all.server_pools = true;
  order_by_place(all.servers);
  all = completed(std::move(all));
  if (!all.servers.empty()) all.pool = pool_for(all, all.servers.front());
  return all;
}

pool_settings pool_for(const settings& all, const connection_info& server) {
  pool_settings pool = all.pool;
  if (all.server_pools) take_numbers(pool, server);
  // validate() refuses a chosen minimum above the maximum, so this can only lower a default.
  pool.min_connections = std::min(pool.min_connections, pool.max_connections);
  return pool;
}

settings completed(settings all) {
  for (auto& server : all.servers) {
    const auto place = endpoint_of(server);
    server.host = place.host;
    server.port = place.port;
    server.use_ssl = place.use_ssl;
  }
  return all;
}

}  // namespace understudy::internal
