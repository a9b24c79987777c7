// The facade most services use: one object that keeps their directory reachable.
#pragma once
#include "understudy/config/problem.hpp"
#include "understudy/config/settings.hpp"
#include "understudy/messages/runtime_event.hpp"
#include "understudy/messages/snapshot.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/runtime/lease.hpp"
#include "understudy/runtime/lookups.hpp"
#include "understudy/runtime/remote_nodes.hpp"
#include "understudy/runtime/results.hpp"

namespace understudy::internal {
struct manager_access;
}  // namespace understudy::internal

namespace understudy {

/// Options of a connection_manager made from connection_info; the same names and defaults as in a configuration file.
struct manager_options {
  /// When false: requests share one connection, opened on demand; a lease that finds it taken gets a new one, closed
  /// when it is returned.
  bool use_pool = pool_settings{}.use_pool;
  /// A connection that idled this long is checked before it is used; 1ms to 1d.
  duration health_check_interval = pool_settings{}.health_check_interval;
  /// Watch the thresholds (set_thresholds()) and log alerts.
  bool enable_monitoring = monitoring_settings{}.enable_monitoring;
  /// Connect again after a loss; when false: only when connect() is called.
  bool auto_reconnect = recovery_settings{}.auto_reconnect;
  /// Attempts of connect(), and of a request after a loss; repair in the background never stops; 0 to 1000000.
  int reconnect_attempts = recovery_settings{}.reconnect_attempts;
  /// Pause between these attempts; 1ms to 1h.
  duration reconnect_delay = recovery_settings{}.reconnect_delay;
  /// Try again what every server refuses for the moment; when false: fail at once.
  bool auto_recovery = recovery_settings{}.auto_recovery;
  /// How often what every server refused is tried again; 0 to 1000000.
  int recovery_attempts = recovery_settings{}.recovery_attempts;
  /// Pause between these attempts; 1ms to 1h.
  duration recovery_delay = recovery_settings{}.recovery_delay;
  /// Consecutive failures, or requests lost with their connections, that open a server's breaker; so many unanswered in
  /// a row have it probed with the search itself; 1 to 1000000.
  int circuit_breaker_threshold = breaker_settings{}.circuit_breaker_threshold;
};

/// Options of create_ha_cluster().
struct ha_options {
  /// Longest that an unsent request waits at one server before it goes to another; 1ms to 1h.
  duration failover_timeout = failover_settings{}.failover_timeout;
  /// How often each server is probed; 1ms to 1d.
  duration health_check_interval = failover_settings{}.health_check_interval;
  /// Return to a preferred server when it is well again.
  bool auto_failback = failover_settings{}.auto_failback;
};

/// Keeps connections to one or several servers and sends each operation to one that can take it. Starts no thread
/// before connect(), has joined all after disconnect(); the destructor disconnects. Thread-safe once constructed.
///
/// Inside a completion or an executor, on the runtime's own thread, nothing may wait: calls that would say so at once
/// (`invalid_request`: thrown, in the outcome, or in the result's connection_error). Not waiting are start(), async(),
/// set_log(), set_events(), events(), set_lookups(), set_thresholds(), start_monitoring(), stop_monitoring(), and
/// lease::release().
/// disconnect() and the destructor are left to a thread of its own there, and so they are in a log listener, a look-up
/// and a password callback, where requests may be waited for, but connect() and reload() are refused.
///
/// One that was moved from says so (`invalid_request`) in the same ways; is_connected() and disconnect() are false.
///
/// In a process forked from its own it sends nothing, and the parent's connections stay as they are: requests and
/// connect() fail with `stopped`, whatever has no place for an error throws ldap_exception with it, is_connected() and
/// disconnect() say false. The child makes a manager of its own.
class connection_manager final : public directory {
 public:
  /// Throws config_error when the settings cannot work.
  explicit connection_manager(connection_info info, manager_options options = {});
  /// Throws config_error with every problem when they cannot work.
  explicit connection_manager(settings all);
  /// Throws config_error with every problem of the file.
  static connection_manager from_file(const std::string& path);
  /// In the order given, unless they carry priorities that differ. Throws config_error when they cannot work.
  static connection_manager with_failover(std::vector<connection_info> servers, manager_options options = {});
  /// The same, with the options of a cluster. Throws config_error when they cannot work.
  static connection_manager create_ha_cluster(std::vector<connection_info> servers, ha_options options = {});

  /// The same facade over nodes (`understudy serve`) in place of a directory: connect() links to the first node that
  /// can be reached, and to another one when that is lost. Servers, pools and breakers are the node's, and so is what
  /// snapshot() tells of them; requests, deadlines and counters are ours. What the node's listener does not permit is
  /// refused (`invalid_request`), and so are reload() and other changes of its settings. Of `all`, [recovery],
  /// [limits], [monitoring] and [log] count; its servers are of no use. Throws config_error with every problem.
  static connection_manager for_nodes(const remote_nodes& nodes, settings all = {});
  /// That, and connect(). While no node can be reached it goes on trying: what connect() says then names each node with
  /// its reason, and so does the failure of a request. `auto_reconnect` counts for requests: a lost link is always made
  /// again. Throws config_error with every problem.
  static connection_manager connect_node(std::vector<std::string> addresses, std::optional<node_tls> tls = {},
                                         const manager_options& options = {});

  /// The other one is empty afterwards: see above.
  connection_manager(connection_manager&&) noexcept;
  /// Disconnects what was there.
  connection_manager& operator=(connection_manager&&) noexcept;
  /// disconnect(), if it is connected.
  ~connection_manager() override;

  /// From the next connect() on, the log's lines (one of text or JSON, without newline) go to `to` instead of a file or
  /// standard error. It runs on the log's own thread and must not throw; null: as configured. It is not called any more
  /// once the destructor has returned; one destroyed inside another callback does not wait for a call that has begun.
  void set_log(std::function<void(log_level level, const std::string& line)> to);

  /// From the next connect() on, `to` is told what happens: servers lost and back, requests that go elsewhere, the
  /// service's password refused, connections held too long, alerts. It is what the log says from level info on,
  /// whatever the log's level is, and runs as set_log()'s does; null: nobody is told.
  void set_events(event_listener to);
  /// The last events of what runs now, 256 at the most, in order: those after number `after`. None while nothing runs.
  std::vector<runtime_event> events(std::uint64_t after = 0) const;

  /// From the next connect() on, names are looked up by these in place of the system's resolver.
  void set_lookups(name_lookups lookups);

  /// Other settings from now on, while everything runs: servers are added, taken out (what runs there is finished
  /// within `limits.drain_timeout`, leases included) and changed, pools are resized, connections that were made with
  /// other values are replaced one by one; no request is lost. Throws config_error with every problem when the settings
  /// cannot work, an ldap_exception when the runtime is stopping or has not begun within `timeout`
  /// (operation_timeout); then nothing is changed, later neither. Options that take a restart are named in the
  /// report and count from the next connect() on. Not connected: all of them do.
  reload_report reload(settings all, duration timeout = seconds{5});
  /// The same with what stands in a file now.
  reload_report reload_file(const std::string& path, duration timeout = seconds{5});

  /// Starts the runtime and waits until one server serves or all attempts allowed by the settings failed. Reports
  /// errors as values, does not throw; background repair goes on after a failure. Connected already: reports the state.
  /// `timeout` ends the wait earlier.
  connection_result connect(duration timeout = duration::max());
  /// Drains and stops; false when it was not connected, or something had to be cut off at `limits.drain_timeout`.
  /// Inside a callback of the runtime it refuses new requests, leaves the rest to another thread, and is true when it
  /// was connected; a later connect() or disconnect() waits for that one.
  bool disconnect();
  /// True when a request sent now would find a server. Throws inside a completion, where it cannot ask.
  bool is_connected() const;

  /// A connection of one's own; throws.
  lease get_connection(const lease_options& options = {});
  /// Gives it back; false when that was done already; throws connection_unhealthy for one of another manager.
  bool return_connection(lease& connection);

  /// Tells whether a server serves, by a probe on a connection of its own: as soon as one of the level that serves is
  /// well, or another one while those say nothing for `breaker.suspect_after`; after 10 s at the latest. The result is
  /// about that server; about one of the level that serves when none is well. Errors as values.
  connection_result health_check();
  /// Probes every server, step by step; one that has not answered within `timeout` is reported with the step that it
  /// hangs in. Limits of time are alike everywhere: negative ones are over already, the longest is a year.
  std::vector<probe_report> probe_all(duration timeout = seconds{10});

  /// Counters since the manager was made, disconnected times included.
  performance_result get_metrics() const;
  /// The limits of check_performance() and of the watch in the background.
  void set_thresholds(const performance_thresholds& limits);
  /// Every limit that is not kept now; none when all are.
  std::vector<performance_alert> check_performance() const;
  /// With `enable_monitoring`, which is the default, the thresholds are watched in the background while it is
  /// connected: every `health_check_interval` what is not kept is logged. stop_monitoring() ends that, also for later
  /// connect()s; start_monitoring() takes it up again. Without `enable_monitoring` neither does anything.
  void start_monitoring();
  /// See start_monitoring().
  void stop_monitoring();

  /// The state of everything; of what is not connected the counts alone. Throws ldap_exception (operation_timeout) when
  /// the runtime has not answered within 2 s, or why when no node can be asked.
  runtime_snapshot snapshot() const;
  /// Takes a server ("host:port") out by hand, until resumed (`ttl` zero or negative) or for `ttl`; false: no such
  /// server, or it is not connected. Throws as snapshot() does.
  bool suspend(const std::string& server, seconds ttl = seconds{0});
  /// Ends a suspension and tries a refused service password again; false and throws as suspend() does.
  bool resume(const std::string& server);

  outcome perform(request_ptr request, const call_options& options = {}) override;
  void start(request_ptr request, completion done, const call_options& options = {}, executor where = {}) override;

  /// A search read entry by entry, on a lease of its own. Waits for that; what goes wrong is the stream's error.
  search_stream stream(search_request request, const stream_options& options = {});
  /// A search in pages, on a lease of its own. Waits for that; what goes wrong is the search's error.
  paged_search paged(search_request request, const paged_options& options = {});

 private:
  friend class connection_pool;
  friend struct internal::manager_access;
  struct state;
  connection_manager(settings all, std::optional<remote_nodes> nodes);
  /// Throws on one that was moved from.
  state& held() const;
  /// Why there is no runtime.
  failure_ptr absence() const;
  std::shared_ptr<state> state_;
};
/// Its name in the documented API.
using ldap_connection_manager = connection_manager;

}  // namespace understudy
