// The table of all settings, and look-ups in it.
#include "understudy/config/options.hpp"

#include <algorithm>
#include <type_traits>

namespace understudy::internal::config {

namespace {

// Paths of struct members as the getters and setters of the table.

template <class T>
option_value wrap(const T& field) {
  if constexpr (std::is_same_v<T, bool> || std::is_floating_point_v<T>)
    return field;
  else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>)
    return static_cast<std::int64_t>(field);
  else
    return field;
}

template <class T>
void unwrap(T& field, option_value&& value) {
  if constexpr (!std::is_same_v<T, bool> && (std::is_enum_v<T> || std::is_integral_v<T>))
    field = static_cast<T>(std::get<std::int64_t>(value));
  else
    field = std::get<T>(std::move(value));
}

/// A member of connection_info.
template <auto Member>
constexpr server_field of_server() {
  return {[](const connection_info& owner) { return wrap(owner.*Member); },
          [](connection_info& owner, option_value&& value) { unwrap(owner.*Member, std::move(value)); }};
}

/// A member of a member of settings.
template <auto Part, auto Member>
constexpr global_field of_all() {
  return {[](const settings& owner) { return wrap((owner.*Part).*Member); },
          [](settings& owner, option_value&& value) { unwrap((owner.*Part).*Member, std::move(value)); }};
}

/// A member of node_listener_settings.
template <auto Member>
constexpr listener_field of_listener() {
  return {[](const node_listener_settings& owner) { return wrap(owner.*Member); },
          [](node_listener_settings& owner, option_value&& value) { unwrap(owner.*Member, std::move(value)); }};
}

/// A member of client_listener_settings.
template <auto Member>
constexpr client_listener_field of_client_listener() {
  return {[](const client_listener_settings& owner) { return wrap(owner.*Member); },
          [](client_listener_settings& owner, option_value&& value) { unwrap(owner.*Member, std::move(value)); }};
}

/// A span that the struct keeps as a whole number of milliseconds.
template <auto Part, auto Member>
constexpr global_field of_all_in_milliseconds() {
  return {[](const settings& owner) { return option_value{duration{milliseconds{(owner.*Part).*Member}}}; },
          [](settings& owner, option_value&& value) {
            (owner.*Part).*Member =
                static_cast<int>(std::chrono::duration_cast<milliseconds>(std::get<duration>(value)).count());
          }};
}

using cs = std::string_view;
using info = connection_info;
using type = option_type;

constexpr double day = 86400;
constexpr double tick = 0.001;  // the shortest span that means anything
constexpr double many = 1e6;

option row(cs section, cs key, type kind, decltype(option::field) field, cs meaning) {
  option made;
  made.section = section;
  made.key = key;
  made.type = kind;
  made.meaning = meaning;
  made.field = field;
  return made;
}

option range(option made, double least, double most, cs unit = "") {
  made.least = least;
  made.most = most;
  made.unit = unit;
  return made;
}

option span(cs section, cs key, decltype(option::field) field, double least, double most, cs meaning) {
  return range(row(section, key, type::span, field, meaning), least, most, "s");
}

option count(cs section, cs key, decltype(option::field) field, double least, double most, cs meaning, cs unit = "") {
  return range(row(section, key, type::integer, field, meaning), least, most, unit);
}

option flag(cs section, cs key, decltype(option::field) field, cs meaning) {
  return row(section, key, type::boolean, field, meaning);
}

option with_example(option made, cs example) {
  made.example = example;
  return made;
}

option with_default(option made, cs note) {
  made.default_note = note;
  return made;
}

option with_choices(option made, std::vector<cs> choices) {
  made.choices = std::move(choices);
  return made;
}

option at_start_only(option made) {
  made.reloadable = false;
  return made;
}

void add(std::vector<option>& all, std::vector<option> more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

std::vector<option> server_address_options() {
  const cs s = server_section;
  return {
      with_example(row(s, "host", type::text, of_server<&info::host>(),
                       "Name or address of the server; this, `uri` or `srv` is required."),
                   "ldap1.example.com"),
      with_default(count(s, "port", of_server<&info::port>(), 1, 65535, "TCP port."), "389; 636 with use_ssl"),
      with_example(row(s, "uri", type::text, of_server<&info::uri>(),
                       "`ldap://host:port`, `ldaps://host:port` or `ldapi://%2Fpath`, in place of `host`, `port` and "
                       "`use_ssl`."),
                   "ldaps://ldap1.example.com:636"),
      with_example(
          row(s, "srv", type::text, of_server<&info::srv>(),
              "Name of SRV records that list the servers, in place of `host`, `uri` and `[[ldap.servers]]`; see "
              "\"Servers from DNS\"."),
          "_ldap._tcp.example.com"),
      count(s, "priority", of_server<&info::priority>(), 0, many,
            "Lower is preferred; servers of equal priority share the load."),
      count(
          s, "weight", of_server<&info::weight>(), 0, 65535,
          "Share of the load among servers of equal priority, compared with the weights of the others; 0: hardly any."),
      with_choices(row(s, "role", type::choice, of_server<&info::role>(),
                       "A `read_only` server gets no writes. A `global_catalog` (of Active Directory, at port 3268 or "
                       "3269) gets look-ups of `[authenticator]` alone, before the others; one server has to be none."),
                   {"read_write", "read_only", "global_catalog"}),
  };
}

std::vector<option> server_identity_options() {
  const cs s = server_section;
  return {
      with_example(row(s, "bind_dn", type::text, of_server<&info::bind_dn>(),
                       "Name to bind as; without it operations are anonymous and no bind is sent, unless "
                       "`bind_mechanism` is external."),
                   "cn=service,ou=apps,dc=example,dc=com"),
      with_example(row(s, "password", type::secret_text, of_server<&info::password>(),
                       "Password of `bind_dn`; better given by a variable or one of the next two."),
                   "${LDAP_PASSWORD}"),
      with_example(row(s, "password_file", type::path, of_server<&info::password_file>(),
                       "File with the password; one newline at its end is ignored."),
                   "/run/secrets/ldap"),
      with_example(row(s, "password_command", type::words, of_server<&info::password_command>(),
                       "Program and arguments whose output is the password; run without a shell and without input, one "
                       "newline at the output's end is ignored. It has 10 s, and is ended with the runtime."),
                   "[\"/usr/bin/pass\", \"ldap/service\"]"),
      with_choices(row(s, "bind_mechanism", type::choice, of_server<&info::bind_mechanism>(),
                       "`simple`: name and password. `external`: the identity of the client certificate, or of this "
                       "process at a Unix socket (SASL EXTERNAL). `auto`: external with a client certificate and "
                       "without `bind_dn`, else simple."),
                   {"auto", "simple", "external"}),
      flag(s, "use_ssl", of_server<&info::use_ssl>(), "TLS from the first byte (ldaps)."),
      flag(s, "use_tls", of_server<&info::use_tls>(), "StartTLS; never falls back to plain text."),
      flag(s, "validate_cert", of_server<&info::validate_cert>(), "Check the server's certificate and name."),
      with_example(row(s, "ca_cert_path", type::path, of_server<&info::ca_cert_path>(),
                       "PEM file of the authorities to trust; without it the system's."),
                   "/etc/ssl/certs/ldap-ca.pem"),
      with_example(row(s, "client_cert_path", type::path, of_server<&info::client_cert_path>(),
                       "PEM file of the client certificate; needs `client_key_path`."),
                   "/etc/ssl/certs/service.pem"),
      with_example(row(s, "client_key_path", type::path, of_server<&info::client_key_path>(),
                       "PEM file of the client certificate's private key."),
                   "/etc/ssl/private/service.key"),
      with_example(
          row(s, "client_key_password", type::secret_text, of_server<&info::client_key_password>(),
              "Password of an encrypted `client_key_path`; better given by a variable or one of the next two."),
          "${LDAP_KEY_PASSWORD}"),
      with_example(row(s, "client_key_password_file", type::path, of_server<&info::client_key_password_file>(),
                       "File with the key's password; one newline at its end is ignored."),
                   "/run/secrets/ldap-key"),
      with_example(row(s, "client_key_password_command", type::words, of_server<&info::client_key_password_command>(),
                       "Program and arguments whose output is the key's password; run as `password_command` is."),
                   "[\"/usr/bin/pass\", \"ldap/key\"]"),
      with_example(row(s, "crl_path", type::path, of_server<&info::crl_path>(),
                       "PEM file of revocation lists; servers whose certificate is revoked, or whose issuer has no "
                       "current list there, are refused."),
                   "/etc/ssl/certs/ldap-ca.crl"),
      with_choices(row(s, "tls_min_version", type::choice, of_server<&info::tls_min_version>(),
                       "Servers that speak only older versions of TLS are refused."),
                   {"1.2", "1.3"}),
  };
}

std::vector<option> server_limit_options() {
  const cs s = server_section;
  return {
      span(s, "timeout", of_server<&info::timeout>(), tick, 3600,
           "Limit of connecting as a whole: name look-up, TCP, TLS, bind."),
      count(s, "max_retries", of_server<&info::max_retries>(), 0, 100,
            "How often a request is tried again after its connection was lost or could not be made."),
      span(s, "retry_delay", of_server<&info::retry_delay>(), tick, 3600,
           "Pause between attempts to connect; while nobody waits for one it grows."),
      with_default(count(s, "pool_size", of_server<&info::pool_size>(), 0, 100000,
                         "Connections kept open; see \"Sizes of pools\"."),
                   "pool.min_connections"),
      with_default(count(s, "max_pool_size", of_server<&info::max_pool_size>(), 1, 100000,
                         "Connections at most; see \"Sizes of pools\"."),
                   "pool.max_connections"),
      with_default(span(s, "pool_timeout", of_server<&info::pool_timeout>(), tick, day,
                        "Longest wait for a connection; see \"Sizes of pools\"."),
                   "pool.timeout"),
  };
}

#define POOL(member) of_all<&settings::pool, &pool_settings::member>()
#define FAILOVER(member) of_all<&settings::failover, &failover_settings::member>()
#define BREAKER(member) of_all<&settings::breaker, &breaker_settings::member>()
#define RECOVERY(member) of_all<&settings::recovery, &recovery_settings::member>()
#define LIMITS(member) of_all<&settings::limits, &limit_settings::member>()
#define MONITORING(member) of_all<&settings::monitoring, &monitoring_settings::member>()
#define LOG(member) of_all<&settings::log, &log_settings::member>()
#define NODE(member) of_all<&settings::node, &node_settings::member>()
#define LISTENER(member) of_listener<&node_listener_settings::member>()
#define LOGINS(member) of_all<&settings::authenticator, &authenticator_settings::member>()
#define CLIENTS(member) of_client_listener<&client_listener_settings::member>()
#define HTTP(member) of_all<&settings::http, &http_settings::member>()

std::vector<option> pool_options() {
  const cs s = "pool";
  return {
      count(s, "min_connections", POOL(min_connections), 0, 100000, "Connections kept open to a server."),
      count(s, "max_connections", POOL(max_connections), 1, 100000,
            "Connections to a server at most, of every kind: probes, binds, connecting ones too."),
      span(s, "timeout", POOL(timeout), tick, day, "Longest wait for a connection."),
      span(s, "max_idle_time", POOL(max_idle_time), tick, 30 * day,
           "A connection above the minimum that idled this long is closed."),
      span(s, "health_check_interval", POOL(health_check_interval), tick, day,
           "A connection that idled this long is checked before it is used."),
      at_start_only(flag(s, "enable_metrics", POOL(enable_metrics),
                         "Count and time requests; when false the counts, times and rates of `get_metrics()` stay at "
                         "their initial values.")),
      flag(s, "preload_connections", POOL(preload_connections), "Open the minimum at start, before the first request."),
      at_start_only(flag(s, "enable_compression", POOL(enable_compression),
                         "Results of 4 KiB and more cross between a node and its clients compressed, where both have "
                         "this set; connections to a directory never are (docs/nodes.md).")),
      span(s, "max_lifetime", POOL(max_lifetime), 0, 365 * day,
           "A connection this old is replaced, the new one first; 0: never."),
      count(s, "max_in_flight", POOL(max_in_flight), 1, 10000, "Operations at once on one shared connection."),
      count(s, "max_waiters", POOL(max_waiters), 0, many,
            "Requests that may wait for a connection; more are refused at once."),
      count(s, "max_connecting", POOL(max_connecting), 1, 1000,
            "Connections being opened at once; each may try up to 4 addresses of its server side by side."),
      span(s, "leak_threshold", POOL(leak_threshold), 0, 30 * day,
           "A connection held longer is reported with its holder; 0: never."),
      count(s, "bind_connections", POOL(bind_connections), 1, 10000,
            "Connections at most on which users' passwords are checked."),
      flag(s, "use_pool", POOL(use_pool),
           "When false: requests share one connection, opened on demand; a lease that finds it taken gets a new one, "
           "closed when it is returned."),
  };
}

std::vector<option> failover_options() {
  const cs s = "failover";
  return {
      span(s, "failover_timeout", FAILOVER(failover_timeout), tick, 3600,
           "Longest that an unsent request waits at one server before it goes to another."),
      flag(s, "auto_failback", FAILOVER(auto_failback), "Return to a preferred server when it is well again."),
      span(s, "health_check_interval", FAILOVER(health_check_interval), tick, day, "How often each server is probed."),
      span(s, "hold_down", FAILOVER(hold_down), 0, day, "How long a returning server must be well before it is used."),
      span(s, "ramp", FAILOVER(ramp), 0, day, "Over how long a returning server gets its full share again."),
      flag(s, "spill", FAILOVER(spill), "Use the next priority also when the preferred servers are only busy."),
  };
}

std::vector<option> breaker_options() {
  const cs s = "breaker";
  return {
      count(s, "circuit_breaker_threshold", BREAKER(circuit_breaker_threshold), 1, many,
            "Consecutive failures, or requests lost with their connections, that open a server's breaker; so many "
            "unanswered "
            "in a row have it probed with the search itself."),
      count(s, "failure_rate", BREAKER(failure_rate), 1, 100,
            "Failures among at least 20 calls in `window` that open it.", "%"),
      span(s, "window", BREAKER(window), 0.1, 3600, "Span over which `failure_rate` is counted."),
      span(s, "slow_call", BREAKER(slow_call), tick, 3600, "An operation unanswered this long counts as a failure."),
      span(s, "suspect_after", BREAKER(suspect_after), tick, 3600,
           "A connection silent this long with requests in flight, or a request for data unanswered this long or until "
           "its "
           "deadline, has its server probed."),
      span(s, "open_base", BREAKER(open_base), tick, 3600, "How long the breaker stays open at first; it doubles."),
      span(s, "open_cap", BREAKER(open_cap), tick, day, "How long it stays open at most."),
  };
}

std::vector<option> recovery_options() {
  const cs s = "recovery";
  return {
      flag(s, "auto_reconnect", RECOVERY(auto_reconnect),
           "Connect again after a loss; when false: only when `connect()` is called."),
      count(s, "reconnect_attempts", RECOVERY(reconnect_attempts), 0, many,
            "Attempts of `connect()`, and of a request after a loss; repair in the background never stops."),
      span(s, "reconnect_delay", RECOVERY(reconnect_delay), tick, 3600, "Pause between these attempts."),
      flag(s, "auto_recovery", RECOVERY(auto_recovery),
           "Try again what every server refuses for the moment; when false: fail at once."),
      count(s, "recovery_attempts", RECOVERY(recovery_attempts), 0, many,
            "How often what every server refused is tried again."),
      span(s, "recovery_delay", RECOVERY(recovery_delay), tick, 3600, "Pause between these attempts."),
      span(s, "credential_retry", RECOVERY(credential_retry), tick, 365 * day,
           "A refused service password that did not change is tried again after this long."),
  };
}

std::vector<option> limit_options() {
  const cs s = "limits";
  return {
      span(s, "operation_timeout", LIMITS(operation_timeout), tick, day,
           "Deadline of a request, all waiting and retries included, unless the caller sets one."),
      span(s, "drain_timeout", LIMITS(drain_timeout), 0, 3600, "How long a stop waits for what still runs."),
      at_start_only(count(s, "max_requests", LIMITS(max_requests), 1, 1e7,
                          "Unanswered requests in the whole runtime; more are refused at once.")),
      count(s, "max_result_bytes", LIMITS(max_result_bytes), 1024, 1099511627776.0,
            "Memory of one result, of one page, of a stream's window; use paging or streaming for larger ones.",
            "bytes"),
      count(s, "max_pdu_bytes", LIMITS(max_pdu_bytes), 1024, 2147483647.0,
            "Size of one LDAP message from the server; a larger one closes the connection.", "bytes"),
  };
}

std::vector<option> monitoring_options() {
  const cs s = "monitoring";
  return {
      flag(s, "enable_monitoring", MONITORING(enable_monitoring), "Watch the thresholds below and log alerts."),
      range(row(s, "max_connection_time", type::span,
                of_all_in_milliseconds<&settings::monitoring, &monitoring_settings::max_connection_time>(),
                "Opening a connection should not take longer on average."),
            1, 3600000, "ms"),
      range(row(s, "min_success_rate", type::real, MONITORING(min_success_rate),
                "Share of the operations of the last five minutes that the directory should not fail."),
            0, 100, "%"),
      range(row(s, "max_pool_utilization", type::real, MONITORING(max_pool_utilization),
                "Share of connections in use that should not be exceeded."),
            0, 100, "%"),
  };
}

std::vector<option> log_options() {
  const cs s = "log";
  return {
      with_choices(row(s, "level", type::choice, LOG(level), "The least severe lines that are written."),
                   {"error", "warning", "info", "debug"}),
      at_start_only(with_choices(row(s, "format", type::choice, LOG(format), "Lines for people or JSON objects."),
                                 {"text", "json"})),
      at_start_only(with_example(row(s, "file", type::path, LOG(file), "File to append to; without it standard error."),
                                 "/var/log/understudy.log")),
  };
}

std::vector<option> authenticator_options() {
  const cs s = "authenticator";
  return {
      with_example(
          row(s, "dn_templates", type::texts, LOGINS(dn_templates),
              "Names to bind as, tried in turn: `{user}` is the user's name as it was given, `{name}` and `{domain}` "
              "the parts of `name@domain` and `domain\\name`, all escaped. Without it the user is searched for."),
          "[\"uid={user},ou=people,dc=example,dc=com\"]"),
      with_example(row(s, "base", type::text, LOGINS(base),
                       "DN below which users are searched for; this or `dn_templates` is required for logins."),
                   "ou=people,dc=example,dc=com"),
      row(s, "filter", type::text, LOGINS(filter),
          "What finds a user; `{user}`, `{name}` and `{domain}` stand for the user's name, escaped."),
      with_default(
          with_example(row(s, "group_base", type::text, LOGINS(group_base), "DN below which groups are searched for."),
                       "ou=groups,dc=example,dc=com"),
          "authenticator.base"),
      with_choices(
          row(s, "groups", type::choice, LOGINS(groups),
              "How the groups of a user are found. `member_of`: `memberOf` of the user's entry. `member`: groups that "
              "list the user's DN in `member` or `uniqueMember`. `member_uid`: groups that list its `uid` in "
              "`memberUid`. `in_chain`: Active Directory's rule for members of members. `nested`: groups of groups, "
              "level by level. `auto`: `memberOf`, or without one as `member` and `member_uid`."),
          {"auto", "member_of", "member", "member_uid", "in_chain", "nested"}),
      count(s, "group_depth", LOGINS(group_depth), 1, 100, "Levels of groups within groups that `nested` goes up."),
      count(s, "max_groups", LOGINS(max_groups), 1, 100000,
            "Groups of one user at most; what is beyond is left out, and that is said."),
      span(s, "timeout", LOGINS(timeout), tick, day,
           "Deadline of one login, look-up or search for groups, all of its requests included."),
      span(s, "cache_ttl", LOGINS(cache_ttl), 0, day,
           "So long after a login the same name and password are accepted without asking the directory; 0: never."),
      span(s, "cache_failure_ttl", LOGINS(cache_failure_ttl), 0, 3600,
           "So long after a login that was refused (wrong password, no such user) the same name and password are "
           "refused without asking the directory; 0: never."),
      span(s, "cache_dn_ttl", LOGINS(cache_dn_ttl), 0, day,
           "So long after a user was searched for a login binds without a search; 0: never."),
      span(s, "cache_grace", LOGINS(cache_grace), 0, 7 * day,
           "So long after a login the same name and password are accepted while no server can be asked: none can be "
           "reached, or none has answered within `timeout`; 0: never."),
      with_choices(
          row(s, "referrals", type::choice, LOGINS(referrals),
              "What becomes of referrals to other directories in answers about users and groups. `ignore`: "
              "they are counted (`referrals_met`). `report`: their URIs are told too. `chase`: those to servers "
              "of this configuration are followed, and the URIs of the others told."),
          {"ignore", "report", "chase"}),
      count(s, "referral_hops", LOGINS(referral_hops), 1, 20,
            "From one server to the next, and from there to another: so far `chase` goes."),
      count(s, "max_referrals", LOGINS(max_referrals), 1, 1000,
            "Referrals that one login, look-up or search for groups follows at most with `chase`."),
  };
}

std::vector<option> node_options() {
  const cs s = "node";
  return {
      at_start_only(with_example(with_default(row(s, "name", type::text, NODE(name),
                                                  "What the node is called, for people and by other nodes."),
                                              "the machine's name"),
                                 "directory-1")),
      with_example(row(s, "ca_cert_path", type::path, NODE(ca_cert_path),
                       "PEM file of the authorities that sign the certificates of clients and other nodes."),
                   "/etc/ssl/certs/nodes-ca.pem"),
      with_example(row(s, "cert_path", type::path, NODE(cert_path), "PEM file of the node's own certificate."),
                   "/etc/ssl/certs/node.pem"),
      with_example(row(s, "key_path", type::path, NODE(key_path),
                       "PEM file of the certificate's private key, which must not be encrypted."),
                   "/etc/ssl/private/node.key"),
      with_example(row(s, "crl_path", type::path, NODE(crl_path),
                       "PEM file of revocation lists of the authorities in `ca_cert_path`: a node that is dialled (one "
                       "of `peers`, or of `--node`) is refused when its certificate is revoked, or its issuer has no "
                       "current list there; and so is who comes in at a listener with neither lists nor authorities of "
                       "its own."),
                   "/etc/ssl/certs/nodes-ca.crl"),
      at_start_only(
          with_example(row(s, "peers", type::texts, NODE(peers),
                           "The other nodes of the cluster, each `host:port`; the host is the other's `name`, "
                           "and the first name in its certificate."),
                       "[\"node2.example.com:4100\"]")),
      at_start_only(count(s, "budget", NODE(budget), 0, many,
                          "Sockets to a server that this node and `peers` share, the same number on each of them; 0: "
                          "no limit.")),
  };
}

std::vector<option> listener_options() {
  const cs s = listener_section;
  return {
      with_example(row(s, "address", type::text, LISTENER(address),
                       "Address and port where clients and other nodes come in, required; `:4100` is every address of "
                       "the machine, port 0 any free one."),
                   "0.0.0.0:4100"),
      with_choices(row(s, "permission", type::choice, LISTENER(permission),
                       "What who comes in there may ask. `read`: searches, compares, leases, checks of passwords, the "
                       "state. `write`: everything that a directory can be asked. `admin`: also suspend, resume, "
                       "drain, reload, tap."),
                   {"read", "write", "admin"}),
      with_default(with_example(row(s, "ca_cert_path", type::path, LISTENER(ca_cert_path),
                                    "PEM file of the authorities whose certificates are let in there."),
                                "/etc/ssl/certs/operators-ca.pem"),
                   "node.ca_cert_path"),
      with_default(with_example(row(s, "crl_path", type::path, LISTENER(crl_path),
                                    "PEM file of revocation lists; who shows a certificate that is revoked, or whose "
                                    "issuer has no current list there, is refused."),
                                "/etc/ssl/certs/nodes-ca.crl"),
                   "as in [node], unless ca_cert_path is set"),
      at_start_only(
          flag(s, "insecure_loopback", LISTENER(insecure_loopback),
               "Plain text, without certificates, for everybody on this machine; at 127.0.0.1 and ::1 alone.")),
      count(s, "max_peers", LISTENER(max_peers), 1, 100000, "Links at once, at the most; more are turned away."),
  };
}

std::vector<option> client_listener_options() {
  const cs s = client_listener_section;
  return {
      with_example(row(s, "address", type::text, CLIENTS(address),
                       "Address and port, or path of a Unix socket, where LDAP clients come in, required; `:389` is "
                       "every address of the machine, port 0 any free one."),
                   "127.0.0.1:389"),
      with_example(row(s, "cert_path", type::path, CLIENTS(cert_path),
                       "PEM file of the listener's certificate; with it StartTLS is offered, or `use_ssl` can be set."),
                   "/etc/ssl/certs/front-door.pem"),
      with_example(row(s, "key_path", type::path, CLIENTS(key_path),
                       "PEM file of the certificate's private key, which must not be encrypted."),
                   "/etc/ssl/private/front-door.key"),
      with_example(row(s, "client_ca_cert_path", type::path, CLIENTS(client_ca_cert_path),
                       "PEM file of the authorities of clients' certificates: who shows one of theirs may bind with it "
                       "(SASL EXTERNAL), with `identity` proxy; nobody needs one."),
                   "/etc/ssl/certs/clients-ca.pem"),
      at_start_only(flag(s, "use_ssl", CLIENTS(use_ssl), "TLS from the first byte (ldaps).")),
      flag(s, "allow_plaintext", CLIENTS(allow_plaintext),
           "Take passwords in plain text from other machines too; at 127.0.0.1, ::1 and Unix sockets they are taken "
           "anyway."),
      with_choices(
          row(s, "identity", type::choice, CLIENTS(identity),
              "As whom clients are served. `session`: as whom they bind as, on a connection of their own. `service`: "
              "who has not bound reads as the service, at and below `bases`. `proxy`: as whom they bind as, on "
              "shared connections with proxied authorization, which the directory has to offer."),
          {"session", "service", "proxy"}),
      with_example(row(s, "bases", type::texts, CLIENTS(bases),
                       "With `identity` service: the DNs at and below which clients that have not bound may read."),
                   "[\"ou=people,dc=example,dc=com\"]"),
      flag(s, "allow_anonymous", CLIENTS(allow_anonymous),
           "Clients that have not bound may ask what the directory lets anybody see, else only its root DSE; where no "
           "server has a `bind_dn`."),
      with_example(row(s, "allow_from", type::texts, CLIENTS(allow_from),
                       "Addresses and networks that clients may come from, Unix sockets aside; without it any. Others "
                       "are closed at once."),
                   "[\"10.0.0.0/8\", \"::1\"]"),
      with_example(
          row(s, "proxy_protocol_from", type::texts, CLIENTS(proxy_protocol_from),
              "Addresses and networks of proxies that name each client by the PROXY protocol, version 2, before "
              "anything else. The address that they name is what `allow_from`, limits and the log go by."),
          "[\"192.0.2.10\"]"),
      flag(s, "log_clients", CLIENTS(log_clients),
           "Log a line when a client has gone: its address, as whom it was served, how many operations, why it ended. "
           "Without it at level debug."),
      count(
          s, "max_clients", CLIENTS(max_clients), 1, 100000,
          "Clients at once, at the most; more are turned away. One address has a tenth of it, 100 at the least; one of "
          "this machine may have all."),
      count(s, "max_pending", CLIENTS(max_pending), 1, 10000,
            "Operations of one client at once; the next one is read when one of them has ended."),
      span(s, "idle_timeout", CLIENTS(idle_timeout), 0, 30 * day,
           "A client that says nothing for so long, and waits for nothing, is sent away; 0: never."),
      span(s, "paging_hold", CLIENTS(paging_hold), 0.1, 3600,
           "How long the connection of a paged search is kept for its next page."),
      span(s, "write_coherence", CLIENTS(write_coherence), 0, 3600,
           "So long after its write a client's reads go to the server that took it, while that is well; 0: to any."),
  };
}

std::vector<option> http_options() {
  const cs s = "http";
  std::vector<option> all{
      with_example(row(s, "listen", type::text, HTTP(listen),
                       "Address and port, or path of a Unix socket, of the endpoint for health, metrics and the "
                       "console; `:9389` is every address of the machine, port 0 any free one."),
                   "127.0.0.1:9389"),
      with_example(row(s, "cert_path", type::path, HTTP(cert_path),
                       "PEM file of its certificate; with it there is TLS, from the first byte."),
                   "/etc/ssl/certs/http.pem"),
      with_example(row(s, "key_path", type::path, HTTP(key_path),
                       "PEM file of the certificate's private key, which must not be encrypted."),
                   "/etc/ssl/private/http.key"),
      with_example(row(s, "ca_cert_path", type::path, HTTP(ca_cert_path),
                       "PEM file of authorities; with it only who shows a certificate of theirs is let in."),
                   "/etc/ssl/certs/operators-ca.pem"),
      with_example(
          row(s, "hosts", type::texts, HTTP(hosts),
              "Names by which the endpoint may be asked for, beside addresses in numbers and localhost; others "
              "are refused, against pages of strangers that give this machine a name of theirs."),
          "[\"node1.example.com\"]"),
      with_example(row(s, "admin_token", type::secret_text, HTTP(admin_token),
                       "What suspend, resume, drain and reload by HTTP must carry, 16 bytes or more; without a token "
                       "nobody can order that there. Better given by a variable or one of the next two."),
                   "${UNDERSTUDY_ADMIN_TOKEN}"),
      with_example(row(s, "admin_token_file", type::path, HTTP(admin_token_file),
                       "File with the token; one newline at its end is ignored."),
                   "/run/secrets/understudy-admin"),
      with_example(row(s, "admin_token_command", type::words, HTTP(admin_token_command),
                       "Program and arguments whose output is the token; run as `password_command` is."),
                   "[\"/usr/bin/pass\", \"understudy/admin\"]"),
  };
  for (auto& each : all) each = at_start_only(std::move(each));
  return all;
}

#undef POOL
#undef FAILOVER
#undef BREAKER
#undef RECOVERY
#undef LIMITS
#undef MONITORING
#undef LOG
#undef NODE
#undef LISTENER
#undef LOGINS
#undef CLIENTS
#undef HTTP

std::vector<option> make_table() {
  std::vector<option> all;
  add(all, server_address_options());
  add(all, server_identity_options());
  add(all, server_limit_options());
  add(all, pool_options());
  add(all, failover_options());
  add(all, breaker_options());
  add(all, recovery_options());
  add(all, limit_options());
  add(all, monitoring_options());
  add(all, log_options());
  add(all, authenticator_options());
  add(all, node_options());
  add(all, listener_options());
  add(all, client_listener_options());
  add(all, http_options());
  return all;
}

}  // namespace

const option_section* find_section(std::string_view name) {
  const auto all = option_sections();
  const auto it = std::find_if(all.begin(), all.end(), [&](const option_section& each) { return each.name == name; });
  return it == all.end() ? nullptr : &*it;
}

const option* find_option(std::string_view section, std::string_view key) {
  const auto all = options();
  const auto it = std::find_if(all.begin(), all.end(),
                               [&](const option& each) { return each.section == section && each.key == key; });
  return it == all.end() ? nullptr : &*it;
}

std::string shown(const option_section& section) {
  const std::string name{section.name};
  return section.listed ? "[[" + name + "]]" : '[' + name + ']';
}

std::vector<std::string_view> section_names() {
  std::vector<std::string_view> names;
  for (const auto& each : option_sections())
    if (!each.listed) names.push_back(each.name);
  return names;
}

std::vector<std::string_view> keys_of(std::string_view section) {
  std::vector<std::string_view> keys;
  for (const auto& each : options())
    if (each.section == section) keys.push_back(each.key);
  return keys;
}

std::string_view section_with(std::string_view key) {
  for (const auto& each : options())
    if (each.key == key) return each.section;
  return {};
}

duration unit_length(const option& row) { return row.unit == "ms" ? duration{milliseconds{1}} : duration{seconds{1}}; }

option_value default_of(const option& row) {
  if (const auto* field = std::get_if<server_field>(&row.field)) return field->get(connection_info{});
  if (const auto* field = std::get_if<listener_field>(&row.field)) return field->get(node_listener_settings{});
  if (const auto* field = std::get_if<client_listener_field>(&row.field)) return field->get(client_listener_settings{});
  return std::get<global_field>(row.field).get(settings{});
}

// ---- the table of all settings ----

std::span<const option_section> option_sections() {
  static const std::vector<option_section> all{
      {server_section,
       "Defaults for every server, or the only server itself; `[[ldap.servers]]` has one table a server."},
      {"pool", "The connections kept to each server."},
      {"failover", "When requests move to another server, and back."},
      {"breaker", "When a server that fails is left alone."},
      {"recovery", "How failures are repaired."},
      {"limits", "Bounds on time and memory."},
      {"monitoring", "Thresholds that raise an alert."},
      {"log", "Where log lines go."},
      {"authenticator", "Logins of users, and their groups; see docs/logins.md."},
      {"node", "Serving other processes over the network: as which node, and with which certificate."},
      {listener_section, "Where clients and other nodes come in; one table an address.", true},
      {"front_door", "Serving LDAP clients of any kind; see docs/front-door.md."},
      {client_listener_section, "Where LDAP clients come in; one table an address.", true},
      {"http", "The endpoint for health, metrics and the console; see docs/operations.md."},
  };
  return all;
}

std::span<const option> options() {
  static const std::vector<option> all = make_table();
  return all;
}

}  // namespace understudy::internal::config
