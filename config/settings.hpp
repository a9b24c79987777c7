// Every setting of the runtime as plain structs with their defaults; how they are written in files is in options.hpp.
#pragma once
#include "understudy/config/connection_info.hpp"

#include <memory>

namespace understudy {

/// How important a line of the log is; a level includes those before it.
enum class log_level : std::uint8_t { error, warning, info, debug };
/// How the log is written: lines for people, or one JSON object a line.
enum class log_format : std::uint8_t { text, json };

/// What may be asked over a link between nodes: each includes those before it.
enum class node_permission : std::uint8_t {
  read,   ///< searches, compares, leases, users' binds, who-am-i, the state
  write,  ///< everything that a directory can be asked
  admin,  ///< also: suspend, resume, drain, reload
};

/// The section `[pool]`; see docs/configuration.md.
struct pool_settings {
  /// Connections kept open to a server; 0 to 100000.
  int min_connections = 5;
  /// Connections to a server at most, of every kind: probes, binds, connecting ones too; 1 to 100000.
  int max_connections = 50;
  /// Longest wait for a connection; 1ms to 1d.
  duration timeout = seconds{60};
  /// A connection above the minimum that idled this long is closed; 1ms to 30d.
  duration max_idle_time = seconds{300};
  /// A connection that idled this long is checked before it is used; 1ms to 1d.
  duration health_check_interval = seconds{60};
  /// Count and time requests; when false the counts, times and rates of get_metrics() stay at their initial values.
  bool enable_metrics = true;
  /// Open the minimum at start, before the first request.
  bool preload_connections = false;
  /// Between nodes, never to a directory: larger results cross compressed where both sides have it so.
  bool enable_compression = false;
  /// A connection this old is replaced, the new one first; 0: never; 0s to 365d.
  duration max_lifetime = seconds{3600};
  /// Operations at once on one shared connection; 1 to 10000.
  int max_in_flight = 32;
  /// Requests that may wait for a connection; more are refused at once; 0 to 1000000.
  int max_waiters = 1000;
  /// Connections being opened at once; each may try up to 4 addresses of its server side by side; 1 to 1000.
  int max_connecting = 4;
  /// A connection held longer is reported with its holder; 0: never; 0s to 30d.
  duration leak_threshold = seconds{60};
  /// Connections at most on which users' passwords are checked; 1 to 10000.
  int bind_connections = 4;
  /// When false: requests share one connection, opened on demand; a lease that finds it taken gets a new one, closed
  /// when it is returned.
  bool use_pool = true;
};

/// The section `[failover]`; see docs/configuration.md.
struct failover_settings {
  /// Longest that an unsent request waits at one server before it goes to another; 1ms to 1h.
  duration failover_timeout = seconds{5};
  /// Return to a preferred server when it is well again.
  bool auto_failback = true;
  /// How often each server is probed; 1ms to 1d.
  duration health_check_interval = seconds{10};
  /// How long a returning server must be well before it is used; 0s to 1d.
  duration hold_down = seconds{10};
  /// Over how long a returning server gets its full share again; 0s to 1d.
  duration ramp = seconds{10};
  /// Use the next priority also when the preferred servers are only busy.
  bool spill = false;
};

/// The section `[breaker]`; see docs/configuration.md.
struct breaker_settings {
  /// Consecutive failures, or requests lost with their connections, that open a server's breaker; so many unanswered in
  /// a row have it probed with the search itself; 1 to 1000000.
  int circuit_breaker_threshold = 5;
  /// Failures among at least 20 calls in window that open it; 1 to 100 %.
  int failure_rate = 50;
  /// Span over which failure_rate is counted; 100ms to 1h.
  duration window = seconds{10};
  /// An operation unanswered this long counts as a failure; 1ms to 1h.
  duration slow_call = seconds{5};
  /// A connection silent this long with requests in flight, or a request for data unanswered this long or until its
  /// deadline, has its server probed; 1ms to 1h.
  duration suspect_after = seconds{1};
  /// How long the breaker stays open at first; it doubles; 1ms to 1h.
  duration open_base = seconds{1};
  /// How long it stays open at most; 1ms to 1d.
  duration open_cap = seconds{60};
};

/// The section `[recovery]`; see docs/configuration.md.
struct recovery_settings {
  /// Connect again after a loss; when false: only when connect() is called.
  bool auto_reconnect = true;
  /// Attempts of connect(), and of a request after a loss; repair in the background never stops; 0 to 1000000.
  int reconnect_attempts = 5;
  /// Pause between these attempts; 1ms to 1h.
  duration reconnect_delay = seconds{2};
  /// Try again what every server refuses for the moment; when false: fail at once.
  bool auto_recovery = true;
  /// How often what every server refused is tried again; 0 to 1000000.
  int recovery_attempts = 3;
  /// Pause between these attempts; 1ms to 1h.
  duration recovery_delay = seconds{5};
  /// A refused service password that did not change is tried again after this long; 1ms to 365d.
  duration credential_retry = seconds{900};
};

/// The section `[limits]`; see docs/configuration.md.
struct limit_settings {
  /// Deadline of a request, all waiting and retries included, unless the caller sets one; 1ms to 1d.
  duration operation_timeout = seconds{30};
  /// How long a stop waits for what still runs; 0s to 1h.
  duration drain_timeout = seconds{10};
  /// Unanswered requests in the whole runtime; more are refused at once; 1 to 10000000.
  int max_requests = 10000;
  /// Memory of one result, of one page, of a stream's window; use paging or streaming for larger ones; 1024 to
  /// 1099511627776 bytes.
  std::int64_t max_result_bytes = 64 * 1024 * 1024;
  /// Size of one LDAP message from the server; a larger one closes the connection; 1024 to 2147483647 bytes.
  std::int64_t max_pdu_bytes = 16 * 1024 * 1024;
};

/// The section `[monitoring]`; see docs/configuration.md.
struct monitoring_settings {
  /// Watch the thresholds below and log alerts.
  bool enable_monitoring = true;
  /// Opening a connection should not take longer on average; 1ms to 1h, in ms.
  int max_connection_time = 100;
  /// Share of the operations of the last five minutes that the directory should not fail; 0 to 100 %.
  double min_success_rate = 95;
  /// Share of connections in use that should not be exceeded; 0 to 100 %.
  double max_pool_utilization = 80;
};

/// The section `[log]`; see docs/configuration.md.
struct log_settings {
  /// The least severe lines that are written; error, warning, info or debug.
  log_level level = log_level::info;
  /// Lines for people or JSON objects; text or json.
  log_format format = log_format::text;
  /// File to append to; without it standard error.
  std::string file;
};

/// A table `[[node.listeners]]`; see docs/configuration.md.
struct node_listener_settings {
  /// Address and port where clients and other nodes come in; ":4100" is every address, port 0 any free one.
  std::string address;
  /// What who comes in there may ask; read, write or admin.
  node_permission permission = node_permission::read;
  /// Authorities of the certificates of who comes in there; without it node_settings::ca_cert_path.
  std::string ca_cert_path;
  /// Revocation lists for these certificates; without it, and without `ca_cert_path`, node_settings::crl_path.
  std::string crl_path;
  /// Plain text, without certificates; of 127.0.0.1 and ::1 alone.
  bool insecure_loopback = false;
  /// Links at once, at the most; 1 to 100000.
  int max_peers = 1000;
};

/// The section `[node]`; see docs/configuration.md.
struct node_settings {
  /// For people and for other nodes; empty: the machine's name.
  std::string name;
  ///@{
  /// PEM files: the authorities of others' certificates, the node's own certificate, and its private key.
  std::string ca_cert_path, cert_path, key_path;
  ///@}
  /// Revocation lists (PEM) of the authorities in `ca_cert_path`, by which nodes that are dialled are judged, and who
  /// comes in at listeners that name neither lists nor authorities of their own; empty: there are none.
  std::string crl_path;
  /// The other nodes of the cluster, each "host:port"; the host is how it is named, here and in its certificate.
  std::vector<std::string> peers;
  /// Sockets to a server that this node and `peers` share; 0: no limit; 0 to 1000000.
  std::size_t budget = 0;
  /// Where clients and other nodes come in; none: nobody does.
  std::vector<node_listener_settings> listeners;
};

/// As whom the clients of a front door are served.
enum class client_identity : std::uint8_t {
  session,  ///< as whom they bind as
  service,  ///< everybody as the service, who reads what the listener's bases allow
  proxy,    ///< as whom they bind as, on shared connections with proxied authorization (RFC 4370)
};

/// A table `[[front_door.listeners]]`; see docs/configuration.md.
struct client_listener_settings {
  /// Address and port, or path of a Unix socket, where LDAP clients come in; ":389" is every address, port 0 any free
  /// one.
  std::string address;
  ///@{
  /// PEM files of the listener's certificate and its private key; without them there is no TLS.
  std::string cert_path, key_path;
  ///@}
  /// Authorities of clients' certificates, which SASL EXTERNAL takes; empty: clients are asked for none.
  std::string client_ca_cert_path;
  /// TLS from the first byte; else with a certificate StartTLS is offered.
  bool use_ssl = false;
  /// Takes passwords in plain text also from other machines.
  bool allow_plaintext = false;
  /// As whom clients are served; session, service or proxy.
  client_identity identity = client_identity::session;
  /// DNs at or below which who has no identity of his own may read; with identity service.
  std::vector<std::string> bases;
  /// Clients that have not bound may ask what the directory lets anybody see; else its root DSE alone.
  bool allow_anonymous = false;
  /// Addresses and networks ("10.0.0.0/8", "::1") that clients may come from; empty: any.
  std::vector<std::string> allow_from;
  /// Addresses and networks of proxies that name their clients by the PROXY protocol, version 2; nobody else may come
  /// from there.
  std::vector<std::string> proxy_protocol_from;
  /// A line in the log for each client when it has gone, at level info; else at debug.
  bool log_clients = false;
  /// Clients at once, at the most; 1 to 100000.
  int max_clients = 10000;
  /// Operations of one client under way at once; the next ones are read when one of them has ended; 1 to 10000.
  int max_pending = 128;
  /// A client that says nothing for so long, and waits for nothing, is sent away; 0: never; 0s to 30d.
  duration idle_timeout = seconds{900};
  /// How long the connection of a paged search is kept for the next page; 100ms to 1h.
  duration paging_hold = seconds{60};
  /// So long after its write a client's reads go to the server that took it, while that is well; 0s to 1h.
  duration write_coherence = seconds{1};
};

/// The section `[front_door]`; see docs/configuration.md.
struct front_door_settings {
  /// Where LDAP clients come in; none: nobody does.
  std::vector<client_listener_settings> listeners;
};

/// The section `[http]`; see docs/configuration.md.
struct http_settings {
  /// Address and port, or path of a Unix socket, of the HTTP endpoint; empty: there is none.
  std::string listen;
  ///@{
  /// PEM files of its certificate and private key; without them there is no TLS.
  std::string cert_path, key_path;
  ///@}
  /// Authorities of clients' certificates; with it everybody needs one.
  std::string ca_cert_path;
  /// Names by which it may be asked for, beside addresses in numbers and localhost.
  std::vector<std::string> hosts;
  /// What orders (suspend, resume, drain, reload) must carry; at most one source. Without any, nobody can give orders.
  secret admin_token;
  std::string admin_token_file;                  ///< its complete content but for one newline at the end
  std::vector<std::string> admin_token_command;  ///< program and arguments, no shell; its output is the token
};

/// How the groups of a user are found.
enum class group_strategy : std::uint8_t {
  automatic,   ///< what the user's entry lists in `memberOf`; when it lists nothing, as member and member_uid
  member_of,   ///< what the user's entry lists in `memberOf`, and nothing else
  member,      ///< groups that list the user's DN in `member` or `uniqueMember`
  member_uid,  ///< groups that list the user's name in `memberUid` (RFC 2307)
  in_chain,    ///< Active Directory's rule for members of members (1.2.840.113556.1.4.1941)
  nested       ///< as member, then the groups that list those groups, level by level
};

/// What becomes of referrals to other directories.
enum class referral_policy : std::uint8_t {
  ignore,  ///< they are counted
  report,  ///< what answers have of them is told
  chase    ///< they are followed to servers that somebody named; those to others are told
};

/// The section `[authenticator]`; see docs/configuration.md.
struct authenticator_settings {
  /// Names to bind as, tried in turn, with placeholders for the user's name; none: the user is searched for.
  std::vector<std::string> dn_templates;
  /// DN below which users are searched for.
  std::string base;
  /// What finds a user; placeholders stand for the user's name.
  std::string filter = "(uid={user})";
  /// DN below which groups are searched for; empty: `base`.
  std::string group_base;
  /// How the groups of a user are found.
  group_strategy groups = group_strategy::automatic;
  /// Levels of groups within groups that `nested` goes up; 1 to 100.
  int group_depth = 10;
  /// Groups of one user at most; 1 to 100000.
  int max_groups = 1000;
  /// Deadline of one login, look-up or search for groups, all of its requests included; 1ms to 1d.
  duration timeout = seconds{30};
  /// So long a password that was right is right again without asking the directory; 0: never; 0s to 1d.
  duration cache_ttl{};
  /// So long it is while no directory can be asked; 0: never; 0s to 7d.
  duration cache_grace{};
  /// So long a name and password that were wrong are wrong again without asking the directory; 0: never; 0s to 1h.
  duration cache_failure_ttl{};
  /// So long a user's DN that was searched for is known; 0: each login searches; 0s to 1d.
  duration cache_dn_ttl{};
  /// What becomes of referrals that answers have in place of entries, or beside them.
  referral_policy referrals = referral_policy::ignore;
  /// Of `chase`: from server to server at most; 1 to 20.
  int referral_hops = 5;
  /// Of `chase`: referrals that one call follows at most; 1 to 1000.
  int max_referrals = 20;
  /// Of `chase`: the servers that may be asked, each as result::server has it ("host:port"). No key: set where a
  /// configuration is read, to the servers that it has.
  std::vector<std::string> referral_servers;
  /// Users and groups are looked up at servers whose role is `global_catalog`. No key: set where a configuration that
  /// is read has such servers.
  bool global_catalog = false;
};

/// The whole configuration. Each server is complete: defaults from [ldap] are already in it.
struct settings {
  std::vector<connection_info> servers;  ///< in order of preference where priorities are equal
  pool_settings pool;                    ///< [pool]
  failover_settings failover;            ///< [failover]
  breaker_settings breaker;              ///< [breaker]
  recovery_settings recovery;            ///< [recovery]
  limit_settings limits;                 ///< [limits]
  monitoring_settings monitoring;        ///< [monitoring]
  log_settings log;                      ///< [log]
  node_settings node;                    ///< [node]
  front_door_settings front_door;        ///< [front_door]
  authenticator_settings authenticator;  ///< [authenticator]
  http_settings http;                    ///< [http]
  /// True when the servers' own pool_size, max_pool_size and pool_timeout count rather than [pool]'s; see pool_for() in
  /// settings_from.hpp.
  bool server_pools = false;
};
/// How settings are passed on: shared and immutable.
using settings_ptr = std::shared_ptr<const settings>;

}  // namespace understudy
