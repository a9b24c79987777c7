// The state of pools, servers and the whole runtime at one moment, for operators and for tests.
#pragma once
#include "understudy/messages/error.hpp"

namespace understudy {

/// How a server is, for people.
enum class server_state : std::uint8_t { healthy, suspect, down, suspended };
/// Whether requests are let through to a server: yes, no, a few to find out, no by order.
enum class breaker_state : std::uint8_t { closed, open, half_open, suspended };
/// "healthy", "suspect", "down", "suspended".
std::string_view to_string(server_state s) noexcept;
/// "closed", "open", "half_open", "suspended".
std::string_view to_string(breaker_state s) noexcept;

/// A pool's counters. Monotonic ones only grow; `acquired == released + leased` holds at every moment.
struct pool_snapshot {
  pool_counts now;                    ///< as it is at this moment
  std::uint32_t min_connections = 0;  ///< kept open
  std::uint32_t max_connections = 0;  ///< sockets of every kind at most
  std::uint32_t leased = 0;           ///< connections that somebody holds
  std::uint64_t acquired = 0;         ///< leases granted
  std::uint64_t released = 0;         ///< leases that ended, however they ended
  std::uint64_t dispatched = 0;       ///< requests handed to a connection
  std::uint64_t completed = 0;        ///< of those, answered, failed or redispatched
  std::uint64_t fresh = 0;            ///< of `acquired` and `dispatched`, those for which a connection had to be opened
  std::uint64_t opened = 0;           ///< connections that became ready
  std::uint64_t closed = 0;           ///< ready connections that ended
  std::uint64_t connect_failures = 0;  ///< connects that never became ready
  std::uint64_t timeouts = 0;          ///< waiters whose deadline passed
  std::uint64_t refused = 0;           ///< waiters refused because the queue was full
  duration longest_wait{};             ///< so far, of those who wait now; 0: nobody waits
  std::uint64_t leaks = 0;             ///< leases reported as held too long
  duration acquisition_time{};         ///< total time that granted leases waited
  /// While no more connections can be had than these, although the open ones answer; 0: growth meets no limit.
  std::uint32_t growth_limit = 0;
  std::string last_error;                  ///< of its connections, in one line; empty when there was none
  std::optional<wall_time> last_error_at;  ///< when that was
};

/// The sockets to one server that the nodes of a cluster share, and this one's part of them.
struct budget_snapshot {
  std::uint32_t total = 0;     ///< over all nodes; 0: there is no budget
  std::uint32_t share = 0;     ///< this node's by the configuration
  std::uint32_t lent = 0;      ///< of its share, what others may use
  std::uint32_t borrowed = 0;  ///< of the others' shares, what it may use
  std::uint32_t opened = 0;    ///< what it uses
  std::uint32_t wanted = 0;    ///< what would be of use to it
};

/// Another node of the cluster.
struct peer_snapshot {
  std::string name;                        ///< as configured
  bool connected = false;                  ///< there is a link, and it speaks
  std::optional<wall_time> since;          ///< of being connected, or not
  std::string last_error;                  ///< why there was no link the last time, in one line; or empty
  std::optional<wall_time> last_error_at;  ///< when that was
};

/// One server, its breaker and its pool.
struct server_snapshot {
  std::uint32_t id = 0;                           ///< its number in this runtime
  std::string host;                               ///< name or address; of ldapi: the path
  std::uint16_t port = 0;                         ///< 0 for ldapi
  int priority = 0;                               ///< lower is preferred
  bool read_only = false;                         ///< gets no writes
  server_state state = server_state::healthy;     ///< for people
  breaker_state breaker = breaker_state::closed;  ///< for requests
  std::string last_error;                   ///< the latest failure that counted, in one line; empty when there was none
  std::optional<wall_time> last_error_at;   ///< when that was
  std::optional<milliseconds> retry_after;  ///< of an open breaker
  duration latency{};                       ///< moving average of operations
  std::uint64_t breaker_opened = 0;         ///< how often, since the start
  pool_snapshot pool;                       ///< its connections
  bool serving = false;                     ///< belongs to the level that a read sent now would go to
  /// What needs an operator although the server answers ("the password of … must be changed"), or empty. A healthy
  /// server with a warning is shown as degraded.
  std::string warning{};
  budget_snapshot budget{};  ///< of a node that shares its servers' sockets with others
};

/// The state for people: "degraded" in place of healthy when there is a warning.
std::string_view state_name(const server_snapshot& s) noexcept;

/// One timed step of a probe (resolve, connect, secure, bind, operation), in the order taken.
struct probe_step {
  stage what = stage::connect;  ///< which step
  duration took{};              ///< until its end
  bool ok = true;               ///< false: the probe failed there
};

/// True for the classes of failure that speak against the server; the others are the caller's, the credentials' or
/// this machine's.
inline bool counts_against_server(failure_class c) noexcept {
  return c != failure_class::credential && c != failure_class::caller && c != failure_class::local;
}

/// What a full probe of one server found.
struct probe_report {
  std::uint32_t server = 0;       ///< whose
  bool ok = false;                ///< it answered as it should
  duration took{};                ///< all of it
  std::vector<probe_step> steps;  ///< in order
  failure_ptr error;              ///< null when `ok`
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
/// What `r` says of its server.
inline probe_verdict verdict(const probe_report& r) noexcept {
  if (r.ok) return probe_verdict::alive;
  if (!r.error || counts_against_server(classify(*r.error))) return probe_verdict::dead;
  const bool answered = r.error->code == errc::ldap_error || r.error->code == errc::service_authentication_failed;
  return answered ? probe_verdict::alive : probe_verdict::nothing;
}

/// Requests of a span of time.
struct operation_window {
  std::uint64_t total = 0;                ///< requests that ended
  std::uint64_t failed_by_directory = 0;  ///< see failed_by_directory(), actors/metrics/registry.hpp
};

/// Latency and outcomes of requests since the start.
struct operation_totals {
  std::uint64_t total = 0;                ///< requests that ended, and leases and connects that failed
  std::uint64_t succeeded = 0;            ///< of `total`
  std::uint64_t failed = 0;               ///< of `total`
  std::uint64_t failed_by_directory = 0;  ///< of `failed`; the others are the caller's errors or limits of ours
  ///@{
  /// The same, lately.
  operation_window last_minute, last_five_minutes;
  ///@}
  duration duration_total{};  ///< of all of them together
  ///@{
  /// Latency that half, 99 %, 99.9 % and all of them did not exceed.
  duration p50{}, p99{}, p999{}, max{};
  ///@}
  std::vector<std::uint64_t> by_error;  ///< indexed by errc
  std::uint64_t recast = 0;             ///< redispatches: requests that were given to another connection
};

/// What a change of the settings of a running runtime did. Servers are named "host:port".
struct reload_report {
  ///@{
  /// Servers that came, went, or are the same with other settings.
  std::vector<std::string> added, removed, changed;
  ///@}
  /// Options that differ and keep their old value until a restart ("log.file").
  std::vector<std::string> needs_restart;
};

/// The state of everything.
struct runtime_snapshot {
  std::vector<server_snapshot> servers;  ///< in the order of the settings
  std::optional<int> active_priority;    ///< the level that serves now
  bool credentials_refused = false;      ///< the directory refuses the service's own bind
  operation_totals operations;           ///< requests since the start
  std::uint64_t protocol_errors =
      0;  ///< connections ended because a peer sent what is no LDAP, or an answer nobody asked for
  std::uint64_t requests_in_flight = 0;  ///< permits taken
  std::vector<peer_snapshot> peers;      ///< the other nodes of the cluster
};

}  // namespace understudy
