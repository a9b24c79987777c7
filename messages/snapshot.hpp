// The state of pools, servers and the whole runtime at one moment, for operators and for tests.
#pragma once
#include "understudy/messages/error.hpp"

#include <array>

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
  /// Who dialled: "it has dialled this node", "dialled node2 (192.0.2.7:4100)"; empty: there is no link.
  std::string link;
};

/// One timed step of a probe (resolve, connect, secure, bind, operation), in the order taken.
struct probe_step {
  stage what = stage::connect;  ///< which step
  duration took{};              ///< until its end
  bool ok = true;               ///< false: the probe failed there
};

/// What a check of a server by the health monitor found.
struct check_snapshot {
  std::optional<wall_time> at;    ///< when it ended; empty: there was none yet
  bool ok = false;                ///< it answered as it should
  duration took{};                ///< all of it
  std::vector<probe_step> steps;  ///< in order; empty: open connections were asked instead
  std::string error;              ///< in one line; empty when `ok`
};

/// One server, its breaker and its pool.
struct server_snapshot {
  std::uint32_t id = 0;                           ///< its number in this runtime
  std::string host;                               ///< name or address; of ldapi: the path
  std::uint16_t port = 0;                         ///< 0 for ldapi
  int priority = 0;                               ///< lower is preferred
  bool read_only = false;                         ///< gets no writes
  server_state state = server_state::healthy;     ///< for people; see state_name()
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
  budget_snapshot budget{};     ///< of a node that shares its servers' sockets with others
  bool global_catalog = false;  ///< gets look-ups of users and groups, and nothing else
  bool untried = false;         ///< nothing has been heard from it yet, good or bad: `healthy` is no more than a guess
  /// The latest check. On a connection that stands it is a question alone, one step …
  check_snapshot last_check{};
  /// … and this is the latest that began with a connection of its own, step by step.
  check_snapshot last_connect_check{};
};

/// The state for people: in place of healthy "not tried yet" where nothing has been heard from the server, "degraded"
/// where there is a warning.
std::string_view state_name(const server_snapshot& s) noexcept;

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
  std::uint64_t failed_by_directory = 0;  ///< of `failed`; see failed_by_directory(), actors/metrics/registry.hpp
  std::uint64_t failed = 0;               ///< of `total`, whatever failed
};

/// Bounds by which times are counted, in ascending order.
inline constexpr std::array<duration, 16> latency_bounds{std::chrono::microseconds{100},
                                                         std::chrono::microseconds{250},
                                                         std::chrono::microseconds{500},
                                                         milliseconds{1},
                                                         std::chrono::microseconds{2500},
                                                         milliseconds{5},
                                                         milliseconds{10},
                                                         milliseconds{25},
                                                         milliseconds{50},
                                                         milliseconds{100},
                                                         milliseconds{250},
                                                         milliseconds{500},
                                                         seconds{1},
                                                         milliseconds{2500},
                                                         seconds{5},
                                                         seconds{10}};

/// How long things took since the start.
struct latency_counts {
  /// At each index how many took no longer than that of latency_bounds; one that took up to a sixteenth less may be
  /// missing there.
  std::vector<std::uint64_t> at_most;
  std::uint64_t count = 0;  ///< all of them
  duration total{};         ///< of all of them together
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
  /// Redispatches: how often a request was given to another connection, of this server or of another one, because the
  /// first was lost, refused it as busy or did not answer. One request may count several times.
  std::uint64_t recast = 0;
  latency_counts latency;  ///< of requests
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

/// As whom an LDAP client of ours is served.
enum class client_standing : std::uint8_t {
  anonymous,  ///< nobody: it has not bound, or not with success
  service,    ///< the service itself, on shared connections
  user,       ///< another name, on a connection of its own
  proxied,    ///< another name, on shared connections with proxied authorization
};
/// What came of an operation, told by its result code (RFC 4511, appendix A).
enum class result_class : std::uint8_t {
  success,    ///< also compareTrue, compareFalse, referral
  negative,   ///< the directory said no: there is no such entry, or the change contradicts what is there
  refused,    ///< who asked may not: wrong credentials, insufficient access, unwilling
  limited,    ///< a limit of time, size or memory
  failed,     ///< no answer could be had: busy, unavailable, other
  abandoned,  ///< by the client, which got no answer or `canceled`
};
/// "anonymous", "service", "user", "proxied".
std::string_view to_string(client_standing s) noexcept;
/// "success", "negative" …
std::string_view to_string(result_class c) noexcept;

/// An LDAP client that came in at one of our listeners.
struct client_snapshot {
  std::string address;                                    ///< "192.0.2.7:51312", or "local, uid 1000, pid 4711"
  std::string listener;                                   ///< the address where it came in
  client_standing identity = client_standing::anonymous;  ///< as whom it is served
  std::uint32_t pending = 0;                              ///< operations under way
  bool parked = false;                                    ///< holds a connection to the directory of its own
  std::uint64_t operations = 0;                           ///< since it came in
  duration age{};                                         ///< since it came in
};

/// How many operations of clients were of one kind, as one identity, and ended alike.
struct client_operations {
  std::string operation;                                  ///< "search", "bind" …
  client_standing identity = client_standing::anonymous;  ///< as whom they were asked
  result_class ended = result_class::success;             ///< what came of them
  std::uint64_t count = 0;                                ///< so many, since it listens
};

/// A listener for LDAP clients, and what was asked there since it listens.
struct client_listener_snapshot {
  std::string address;                        ///< where it listens: "127.0.0.1:389", or a path
  std::uint32_t clients = 0;                  ///< that are in
  std::uint64_t accepted = 0;                 ///< that came in
  std::uint64_t turned_away = 0;              ///< that did not get in: limits, networks, handshakes
  std::vector<client_operations> operations;  ///< what there was
};

/// Who has come in at one of our listeners for nodes: a client of this node, or another node of its cluster.
struct node_client_snapshot {
  std::string name;                ///< the first name in its certificate; "this machine" where there is none
  std::string address;             ///< "192.0.2.7:51312"
  std::string permission;          ///< what it may ask: "read", "write", "admin"
  std::uint64_t received = 0;      ///< bytes that came from it, what TLS adds aside
  std::uint64_t sent = 0;          ///< bytes that it was sent, as well
  std::optional<wall_time> since;  ///< when it came in
};

/// The state of everything.
struct runtime_snapshot {
  std::vector<server_snapshot> servers;  ///< in the order of the settings
  std::optional<int> active_priority;    ///< the level that serves now
  bool credentials_refused = false;      ///< the directory refuses the service's own bind
  operation_totals operations;           ///< requests since the start
  std::uint64_t protocol_errors =
      0;  ///< connections ended because a peer sent what is no LDAP, or an answer nobody asked for
  std::uint64_t requests_in_flight = 0;                    ///< permits taken
  std::vector<peer_snapshot> peers;                        ///< the other nodes of the cluster
  latency_counts connects;                                 ///< until a connection was ready; of those that became it
  std::vector<client_listener_snapshot> client_listeners;  ///< where LDAP clients come in
  /// LDAP clients that are in, a few hundred at the most: those that wait for answers first, then the oldest.
  std::vector<client_snapshot> clients;
  /// Who has come in as a client of this node, a few hundred at the most: those who came first …
  std::vector<node_client_snapshot> node_clients;
  std::uint64_t more_node_clients = 0;  ///< … and how many are in beside those
};

}  // namespace understudy
