// The facade for one server's pool on its own: leases, health, metrics, clean-up.
#pragma once
#include "understudy/runtime/connection_manager.hpp"

namespace understudy {

/// Options of a connection_pool; the same names and defaults as in the section `[pool]`.
struct pool_options {
  /// Connections kept open to a server; 0 to 100000.
  int min_connections = pool_settings{}.min_connections;
  /// Connections to a server at most, of every kind: probes, binds, connecting ones too; 1 to 100000.
  int max_connections = pool_settings{}.max_connections;
  /// Longest wait for a connection; 1ms to 1d.
  duration timeout = pool_settings{}.timeout;
  /// A connection above the minimum that idled this long is closed; 1ms to 30d.
  duration max_idle_time = pool_settings{}.max_idle_time;
  /// A connection that idled this long is checked before it is used; 1ms to 1d.
  duration health_check_interval = pool_settings{}.health_check_interval;
  /// Count and time requests; when false the counts, times and rates of get_metrics() stay at their initial values.
  bool enable_metrics = pool_settings{}.enable_metrics;
  /// Open the minimum at start, before the first request.
  bool preload_connections = pool_settings{}.preload_connections;
  /// Between nodes, never to a directory: larger results cross compressed where both sides have it so.
  bool enable_compression = pool_settings{}.enable_compression;
};

/// Connections to one server. Starts in the constructor, stops in the destructor. Thread-safe.
class connection_pool final : public directory {
 public:
  /// Throws config_error when the settings cannot work; a server that cannot be reached is no error here.
  explicit connection_pool(connection_info info, pool_options options = {});
  /// The other one is empty afterwards and says so (`invalid_request`).
  connection_pool(connection_pool&&) noexcept;
  /// Stops what was there.
  connection_pool& operator=(connection_pool&&) noexcept;
  /// Drains for `limits.drain_timeout` at most, then stops.
  ~connection_pool() override;

  /// Throws pool_exhausted, pool_timeout, connection_unhealthy and the other ldap_exceptions.
  lease get_connection(const lease_options& options = {});
  /// Gives it back; false when that was done already; throws connection_unhealthy for one of another pool.
  bool return_connection(lease& connection);
  /// Validates every connection that can be. All zeros when it is not running; throws ldap_exception when the pool has
  /// not answered in time.
  pool_health_result health_check();
  /// Counters since it was made.
  pool_metrics get_metrics() const;
  /// The same.
  pool_metrics metrics() const { return get_metrics(); }
  /// Closes idle connections above the minimum and broken ones; how many. Errors as health_check().
  int cleanup();
  /// The state at this moment. Errors as health_check().
  pool_snapshot snapshot() const;

  outcome perform(request_ptr request, const call_options& options = {}) override;
  void start(request_ptr request, completion done, const call_options& options = {}, executor where = {}) override;

  /// A search read entry by entry, on a lease of its own. Waits for that; what goes wrong is the stream's error.
  search_stream stream(search_request request, const stream_options& options = {});
  /// A search in pages, on a lease of its own. Waits for that; what goes wrong is the search's error.
  paged_search paged(search_request request, const paged_options& options = {});

 private:
  connection_manager manager_;
};

}  // namespace understudy
