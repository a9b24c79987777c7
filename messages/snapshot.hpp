// The state of pools, servers and the whole runtime at one moment, for operators and for tests.
#pragma once
#include "understudy/messages/error.hpp"

namespace understudy {

enum class server_state : std::uint8_t { healthy, suspect, down, suspended };
enum class breaker_state : std::uint8_t { closed, open, half_open, suspended };
std::string_view to_string(server_state s) noexcept;
std::string_view to_string(breaker_state s) noexcept;

/// A pool's counters. Monotonic ones only grow; `acquired == released + leased` holds at every moment.
struct pool_snapshot {
  pool_counts now;
  std::uint32_t min_connections = 0;
  std::uint32_t max_connections = 0;
  std::uint32_t leased = 0;
  std::uint64_t acquired = 0;    ///< leases granted
  std::uint64_t released = 0;    ///< leases that ended, however they ended
  std::uint64_t dispatched = 0;  ///< requests handed to a connection
  std::uint64_t completed = 0;   ///< of those, answered, failed or re-cast
  std::uint64_t fresh = 0;       ///< of `acquired` and `dispatched`, those for which a connection had to be opened
  std::uint64_t opened = 0;      ///< connections that became ready
  std::uint64_t closed = 0;      ///< ready connections that ended
  std::uint64_t connect_failures = 0;
  std::uint64_t timeouts = 0;   ///< waiters whose deadline passed
  std::uint64_t refused = 0;    ///< waiters refused because the queue was full
  std::uint64_t leaks = 0;      ///< leases reported as held too long
  duration acquisition_time{};  ///< total time that granted leases waited
  /// While no more connections can be had than these, although the open ones answer; 0: growth meets no limit.
  std::uint32_t growth_limit = 0;
  std::string last_error;  ///< of its connections, in one line; empty when there was none
  std::optional<wall_time> last_error_at;
};

struct server_snapshot {
  std::uint32_t id = 0;
  std::string host;
  std::uint16_t port = 0;
  int priority = 0;
  bool read_only = false;
  server_state state = server_state::healthy;
  breaker_state breaker = breaker_state::closed;
  std::string last_error;
  std::optional<wall_time> last_error_at;
  std::optional<milliseconds> retry_after;  ///< of an open breaker
  duration latency{};                       ///< moving average of operations
  std::uint64_t breaker_opened = 0;
  pool_snapshot pool;
  bool serving = false;  ///< belongs to the level that a read sent now would go to
  /// What needs an operator although the server answers ("the password of … must be changed"), or empty. A healthy
  /// server with a warning is shown as degraded.
  std::string warning{};
};

/// The state for people: "degraded" in place of healthy when there is a warning.
std::string_view state_name(const server_snapshot& s) noexcept;

/// One timed step of a probe (resolve, connect, secure, bind, operation), in the order taken.
struct probe_step {
  stage what = stage::connect;
  duration took{};
  bool ok = true;
};

/// True for the classes of failure that speak against the server; the others are the caller's, the credentials' or
/// this machine's.
inline bool counts_against_server(failure_class c) noexcept {
  return c != failure_class::credential && c != failure_class::caller && c != failure_class::local;
}

/// What a full probe of one server found.
struct probe_report {
  std::uint32_t server = 0;
  bool ok = false;
  duration took{};
  std::vector<probe_step> steps;
  failure_ptr error;
  /// What the server said of the service's password while it accepted it, or empty.
  std::string warning{};
  /// It ran out of time, and had little: a server that nothing can replace is given more before it is given up.
  bool hurried = false;
  /// Not ok because of one question alone, which it left unanswered as it had left requests for data; it answered a
  /// read of its root DSE meanwhile. That is no reason to give up a server that nothing can replace.
  bool answers_others = false;
};

/// What a probe says about its server.
enum class probe_verdict : std::uint8_t {
  alive,    ///< it answered; also when it refused the service's credentials
  dead,     ///< it did not, or not as it should
  nothing,  ///< the probe failed for a reason of ours
};
inline probe_verdict verdict(const probe_report& r) noexcept {
  if (r.ok) return probe_verdict::alive;
  if (!r.error || counts_against_server(classify(*r.error))) return probe_verdict::dead;
  const bool answered = r.error->code == errc::ldap_error || r.error->code == errc::service_authentication_failed;
  return answered ? probe_verdict::alive : probe_verdict::nothing;
}

/// Requests of a span of time.
struct operation_window {
  std::uint64_t total = 0;
  std::uint64_t failed_by_directory = 0;  ///< see failed_by_directory(), actors/metrics/registry.hpp
};

/// Latency and outcomes of requests since the start.
struct operation_totals {
  std::uint64_t total = 0;
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
  std::uint64_t failed_by_directory = 0;  ///< of `failed`; the others are the caller's errors or limits of ours
  operation_window last_minute, last_five_minutes;
  duration duration_total{};
  duration p50{}, p99{}, p999{}, max{};
  std::vector<std::uint64_t> by_error;  ///< indexed by errc
  std::uint64_t recast = 0;             ///< requests that were given to another connection
};

/// What a change of the settings of a running runtime did. Servers are named "host:port".
struct reload_report {
  std::vector<std::string> added, removed, changed;
  /// Options that differ and keep their old value until a restart ("log.file").
  std::vector<std::string> needs_restart;
};

struct runtime_snapshot {
  std::vector<server_snapshot> servers;
  std::optional<int> active_priority;  ///< the level that serves now
  bool credentials_refused = false;
  operation_totals operations;
  std::uint64_t protocol_errors = 0;
  std::uint64_t requests_in_flight = 0;  ///< permits taken
};

}  // namespace understudy
