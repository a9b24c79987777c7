// What connections, pools and probes tell each other about servers.
#pragma once
#include "understudy/messages/call.hpp"
#include "understudy/messages/lookup.hpp"

namespace understudy {

/// What a connection is for.
enum class connection_kind : std::uint8_t {
  pooled,  ///< carries shared operations or one lease, bound as the service
  bind,    ///< carries users' binds, one at a time, never anything else
  probe,   ///< the health monitor's own
};

/// From a connection to its pool (or monitor): a step in its life.
struct connection_event {
  /// The step.
  enum class kind : std::uint8_t {
    ready,     ///< bound and able to work; also after a reset
    failed,    ///< never became ready; nothing was carried
    draining,  ///< takes nothing new (retired, Notice of Disconnection, or given up as silent: with a cause); finishes
               ///< what runs
    closed,    ///< was ready and ended; keeps redispatching what still arrives until `removed`
  };
  connection_id id = 0;             ///< whose
  kind what = kind::ready;          ///< which step
  failure_ptr cause;                ///< of failed, closed and given up; null when asked to close
  std::uint64_t secret_number = 0;  ///< of ready: the secret it is bound with (credential::secret_number)
  bool broke_protocol = false;      ///< of failed and closed: it ended because the peer sent what LDAP does not allow
};

/// From a connection (or a pool, for a round of connects) to the breaker: what happened to operations. Successes are
/// gathered and sent before or with the next failure, so that the order of outcomes is kept.
struct outcome_report {
  server_id server = 0;          ///< whom it is about
  std::uint32_t generation = 0;  ///< of the breaker when those calls were let through; 0: now
  bool trial = false;            ///< one of them held a half-open permit
  std::uint32_t successes = 0;   ///< operations that the server answered
  duration latency_total{};      ///< of those successes
  /// At most one failure that happened after them, already classified.
  std::optional<failure_class> failed;
  failure_ptr cause;  ///< of `failed`
  /// From a pool: a round of connects failed, and no connection that answers is left.
  bool none_left = false;
  /// From a pool: somebody waited there for `suspect_after`, and no connection was ready or became so …
  bool silent = false;
  /// … and from then on: one is ready now.
  bool ready = false;
  /// From a pool: one is ready, and before none was; nobody had been told of it. A probe from before may be late.
  bool answered = false;
  /// Of a failure that is a connection's end: since when that was open. Those that were open together and end together
  /// have one cause.
  std::optional<time_point> open_since;
};

/// From the breaker to the monitor: which servers would take another one's place now, since they take requests and are
/// not silent. Two are enough to know it of each server.
struct stand_ins {
  std::uint32_t count = 0;  ///< two at the most
  server_id first = 0;      ///< of these

  /// True when another server would take the place of `id`.
  bool replace(server_id id) const noexcept { return count > 1 || (count == 1 && first != id); }
  /// The same servers.
  bool operator==(const stand_ins& other) const noexcept { return count == other.count && first == other.first; }
};

/// How a lease is used once granted. `Connection` is the typed handle (messages/actors.hpp).
template <class Connection>
struct basic_lease_grant {
  lease_id id = 0;                      ///< to be claimed and released with
  connection_id connection_number = 0;  ///< for logs
  server_id server = 0;                 ///< whose connection it is
  std::string server_name;              ///< "host:port"
  Connection connection;                ///< where operations of that lease are sent
};

/// What a pool found when it validated its connections.
struct pool_health {
  std::uint32_t active_connections = 0;     ///< leased, or with requests in flight
  std::uint32_t idle_connections = 0;       ///< ready, with nothing to do
  std::uint32_t healthy_connections = 0;    ///< ready, and not found broken
  std::uint32_t unhealthy_connections = 0;  ///< did not answer in time; they are replaced
  std::uint32_t answered = 0;               ///< of the healthy ones; the others cannot be read from now
  std::uint32_t answered_others = 0;        ///< of the unhealthy ones: see probe_report::answers_others
  std::uint32_t connecting = 0;             ///< under way: neither refused nor ready yet
};

/// One connection, for operators.
struct connection_snapshot {
  connection_id id = 0;                            ///< its number
  connection_kind kind = connection_kind::pooled;  ///< what it is for
  std::string state;                               ///< connecting, securing, binding, ready, draining, closed
  std::string peer;                                ///< "address:port"
  std::string encryption;                          ///< "none", or the protocol and cipher
  std::string auth_method;                         ///< "simple", "external" or "anonymous"
  std::uint32_t in_flight = 0;                     ///< requests sent, or held back, and not answered
  std::uint64_t completed = 0;                     ///< requests answered so far
  duration connect_time{};                         ///< from the start to ready
  std::vector<probe_step> steps;                   ///< of setting up
};

/// The service's credentials for one bind, from the bind lockout guard.
struct credential {
  std::string bind_dn;              ///< empty: an anonymous bind, or SASL EXTERNAL
  secret password;                  ///< for a simple bind
  std::uint64_t version = 0;        ///< of the secret and of this try with it; 0: no bind is needed
  std::uint64_t secret_number = 0;  ///< of the secret alone: one that was first seen later has a higher number
};

/// What a directory said of the service's password while it accepted it.
struct password_warning {
  std::string bind_dn;      ///< whose password
  std::string text;         ///< "the password must be changed …"
  bool restricted = false;  ///< nothing else is allowed until it was changed
};
/// "bound as "cn=service": the password must be changed …".
inline std::string text_of(const password_warning& w) { return "bound as \"" + w.bind_dn + "\": " + w.text; }

/// What became of a bind with a credential of the bind lockout guard.
struct credential_verdict {
  /// What the server said.
  enum class kind : std::uint8_t { accepted, refused, unknown };
  server_id server = 0;                       ///< who said it
  std::uint64_t version = 0;                  ///< of the credential
  kind what = kind::unknown;                  ///< what became of the bind
  failure_ptr cause;                          ///< of refused and unknown
  std::optional<password_warning> warning{};  ///< of accepted
};

/// What the bind lockout guard says of a name and a password that somebody else presents.
enum class service_claim : std::uint8_t {
  other,    ///< the name is not the service's
  right,    ///< they are the service's own
  wrong,    ///< the name is the service's, the password is not
  unknown,  ///< the name is the service's, and its password is not known now
};

/// One address to connect to: the bytes of a sockaddr, and how people write it ("192.0.2.1:389", "[2001:db8::1]:389").
struct socket_address {
  int family = 0;     ///< AF_INET, AF_INET6, AF_UNIX
  std::string bytes;  ///< a sockaddr of that family; empty: it cannot be written as one
  std::string text;   ///< for people
};

/// What a name look-up found, in the order to try; `error` is set when it found nothing.
struct resolution {
  std::vector<socket_address> addresses;  ///< the first is dialled first
  failure_ptr error;                      ///< null when something was found
};

}  // namespace understudy
