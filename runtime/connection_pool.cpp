// The facade for one server's pool on its own: see connection_pool.hpp.
#include "understudy/runtime/connection_pool.hpp"

#include "understudy/config/settings_from.hpp"
#include "understudy/runtime/client/facade_state.hpp"

namespace understudy {

using namespace internal;
namespace {

constexpr seconds check_time{10};
constexpr server_id only_server = 0;

settings with_options(connection_info info, const pool_options& options) {
  if (!info.srv.empty())
    throw config_error({{"", "ldap.servers[0].srv",
                         "stands for several servers, and this is the pool of one; use a "
                         "connection_manager"}});
  auto all = settings_from({std::move(info)});
  all.server_pools = false;
  all.pool.min_connections = options.min_connections;
  all.pool.max_connections = options.max_connections;
  all.pool.timeout = options.timeout;
  all.pool.max_idle_time = options.max_idle_time;
  all.pool.health_check_interval = options.health_check_interval;
  all.pool.enable_metrics = options.enable_metrics;
  all.pool.preload_connections = options.preload_connections;
  all.pool.enable_compression = options.enable_compression;
  all.monitoring.enable_monitoring = false;  // a pool has no thresholds
  all.log.level = log_level::warning;
  return all;
}

}  // namespace

connection_pool::connection_pool(connection_info info, pool_options options)
    : manager_(with_options(std::move(info), options)) {
  manager_.state_->start();
}

connection_pool::connection_pool(connection_pool&&) noexcept = default;
connection_pool& connection_pool::operator=(connection_pool&&) noexcept = default;
connection_pool::~connection_pool() = default;

lease connection_pool::get_connection(const lease_options& options) { return manager_.get_connection(options); }
bool connection_pool::return_connection(lease& connection) { return manager_.return_connection(connection); }

pool_health_result connection_pool::health_check() {
  manager_.held().check_process();
  auto there = manager_.state_->current();
  if (!there) return {};
  auto deadline = there->env()->clock->now() + check_time;
  auto got = there->client().ask<pool_health>(there->manager(), check_time + actor_timeout, check_atom_v, only_server,
                                              deadline);
  if (!got) throw_failure(got.error);
  return {got.value->active_connections, got.value->idle_connections, got.value->healthy_connections,
          got.value->unhealthy_connections};
}

pool_metrics connection_pool::get_metrics() const {
  auto pool = snapshot();
  if (!manager_.held().counts()) pool.acquired = pool.released = pool.dispatched = 0;
  return pool_metrics_of(pool);
}

int connection_pool::cleanup() {
  manager_.held().check_process();
  auto there = manager_.state_->current();
  if (!there) return 0;
  auto got = there->client().ask<std::uint32_t>(there->manager(), actor_timeout, cleanup_atom_v, only_server);
  if (!got) throw_failure(got.error);
  return static_cast<int>(*got.value);
}

pool_snapshot connection_pool::snapshot() const {
  auto all = manager_.snapshot();
  return all.servers.empty() ? pool_snapshot{} : all.servers.front().pool;
}

outcome connection_pool::perform(request_ptr request, const call_options& options) {
  return manager_.perform(std::move(request), options);
}
search_stream connection_pool::stream(search_request request, const stream_options& options) {
  return manager_.stream(std::move(request), options);
}
paged_search connection_pool::paged(search_request request, const paged_options& options) {
  return manager_.paged(std::move(request), options);
}
void connection_pool::start(request_ptr request, completion done, const call_options& options, executor where) {
  manager_.start(std::move(request), std::move(done), options, std::move(where));
}

}  // namespace understudy
