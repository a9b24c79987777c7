// What the facade reports about connections, pools and performance.
#pragma once
#include "understudy/config/settings.hpp"
#include "understudy/messages/error.hpp"

namespace understudy {

/// What connect() and health_check() found.
struct connection_result {
  bool connected = false;        ///< a server serves
  std::string host;              ///< of that server, or of the first one tried
  std::uint16_t port = 0;        ///< of that server; 0 for ldapi
  double connection_time = 0;    ///< milliseconds: name look-up, TCP, TLS and bind
  double response_time = 0;      ///< milliseconds of one small read
  std::string auth_method;       ///< "simple", "external" or "anonymous"
  std::string encryption;        ///< "none", or protocol and cipher
  std::string connection_error;  ///< empty when there was none
  std::string auth_error;        ///< why the service's bind was refused; empty when it was not
  failure_ptr failed;            ///< what the one of them that is not empty puts in words; null when connected
  /// Of connect(): when it connected. Of health_check(): when the last operation before it succeeded, if any did.
  std::optional<wall_time> last_activity;
};
/// Its name in the documented API.
using ldap_connection_result = connection_result;

/// What get_metrics() reports. Rates are percentages, durations milliseconds. Operations are requests, and leases and
/// connects that failed.
struct performance_result {
  std::uint64_t total_operations = 0;       ///< that ended, since the manager was made
  std::uint64_t successful_operations = 0;  ///< of them
  /// All that did not succeed, the caller's own errors too (no such object, a user's wrong password, cancelled …).
  std::uint64_t failed_operations = 0;
  /// Of those, what the directory failed: no connection could be made or one was lost, there was no answer in time, the
  /// server was busy or unavailable or refused the service's own bind, or every server was known to be down.
  std::uint64_t directory_failures = 0;
  /// Of all operations, those that the directory did not fail; 100 without operations.
  double success_rate = 100;
  double success_rate_1m = 100;      ///< of the last minute
  double success_rate_5m = 100;      ///< of the last five minutes; what `min_success_rate` is compared with
  double average_duration = 0;       ///< milliseconds, of all of them
  std::uint64_t pool_size = 0;       ///< open sockets to all servers
  double pool_utilization = 0;       ///< percent of `max_connections` in use, of all pools together
  double connection_reuse_rate = 0;  ///< of the requests and leases that got a connection, those that got an open one
  double memory_peak_mb = 0;         ///< of the whole process, in MiB
  double cpu_usage_percent = 0;      ///< 100: one core; since the last such report at least a second ago
};
/// Its name in the documented API.
using ldap_performance_result = performance_result;

/// What connection_pool::get_metrics() reports.
struct pool_metrics {
  std::uint64_t pool_size = 0;      ///< open sockets
  double utilization = 0;           ///< percent of max_connections in use
  double reuse_rate = 0;            ///< percent of requests and leases that needed no new connection
  double avg_acquisition_time = 0;  ///< milliseconds
  std::uint64_t acquired = 0;       ///< leases granted
  std::uint64_t released = 0;       ///< leases that ended
  std::uint64_t leased = 0;         ///< leases held now: acquired - released
};

/// What connection_pool::health_check() reports.
struct pool_health_result {
  std::uint64_t active_connections = 0;     ///< leased, or with requests in flight
  std::uint64_t idle_connections = 0;       ///< ready, with nothing to do
  std::uint64_t healthy_connections = 0;    ///< ready, and not found broken
  std::uint64_t unhealthy_connections = 0;  ///< did not answer in time; they are replaced
};

/// Limits for check_performance().
struct performance_thresholds {
  double max_connection_time = monitoring_settings{}.max_connection_time;    ///< milliseconds
  double min_success_rate = monitoring_settings{}.min_success_rate;          ///< percent, of the last five minutes
  double max_pool_utilization = monitoring_settings{}.max_pool_utilization;  ///< percent
};

/// One limit that is not kept.
struct performance_alert {
  std::string message;       ///< a sentence with what, where, how much and the limit
  double current_value = 0;  ///< in the unit of the limit
  double threshold = 0;      ///< the limit
};

}  // namespace understudy
