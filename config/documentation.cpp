// The documentation page and the sample file of all settings.
#include "understudy/config/documentation.hpp"

#include "understudy/config/option_value.hpp"
#include "understudy/config/text.hpp"

#include <algorithm>
#include <sstream>

namespace understudy::internal {

using namespace config;

namespace {

constexpr std::string_view introduction = R"(# Configuration

This page is made from the table of options in `config/options.cpp`; so is
[understudy.sample.toml](understudy.sample.toml). To make both again after the table changed:

    UNDERSTUDY_REGENERATE_DOCS=1 ctest --preset release -R config/committed_documentation

A configuration is a TOML file, or a JSON file with the same tree (its name ends in `.json`). The smallest:

```toml
[ldap]
host = "ldap.example.com"
```

Two servers that share a name to bind as; the second takes over when the first cannot go on:

```toml
[ldap]
bind_dn = "cn=service,ou=apps,dc=example,dc=com"
password = "${LDAP_PASSWORD}"
use_tls = true

[[ldap.servers]]
host = "ldap1.example.com"
priority = 1

[[ldap.servers]]
host = "ldap2.example.com"
priority = 2
```

## Values

- **Spans of time** are numbers of seconds, with a fraction if need be, or of milliseconds where the unit says ms; or
  strings like `"250ms"`, `"5s"`, `"2m"`, `"1h"`, `"1d"`.
- **Environment variables** may stand in any string: `"${VAR}"` must be set, `"${VAR:-default}"` gives the default when
  it is not set or empty; `$${` is a plain `${`. What comes out is converted to the type of the key:
  `port = "${LDAP_PORT:-389}"`; for booleans `true`, `yes`, `on`, `1` and their opposites count.
- **Which value counts:** the server's own in `[[ldap.servers]]`, then that of the key's section, then that in `[ldap]`,
  then the default.
- **`uri`** replaces `host`, `port` and `use_ssl`; where both are given they must agree. Without a port it is 389, or 636
  for `ldaps` and `use_ssl`. A server's `uri` takes no `host` from `[ldap]`, and its own port comes before the one there.
- **Passwords** come from one of `password`, `password_file` and `password_command`. A server that has one of its own
  takes none from `[ldap]`; `bind_dn = ""` makes a server anonymous. In code there is `password_callback` too. Dumps
  show `"***"`, which is refused as a value. File and command are read again when the password was refused.
- **JSON** `null` means "not set", for keys that have no default.

## Sizes of pools

The number of connections and the wait for one have two names, each with its own default, since they are given in two
places: `pool_size` (10), `max_pool_size` (50), `pool_timeout` (60 s) describe one server in code; `min_connections` (5),
`max_connections` (50), `timeout` (60 s) in `[pool]` describe every pool.

- In a file: explicit in `[[ldap.servers]]`, then in `[pool]`, then in `[ldap]` by the server's names, then the default
  of `[pool]`.
- In code: a `connection_manager` made from `connection_info` uses its numbers; a `connection_pool` those of its
  options; one made from `settings` uses `settings::pool`.
- A minimum that nobody gave follows a smaller maximum down.

## Servers from DNS

With `srv` in `[ldap]`, in place of `host`, `uri` and `[[ldap.servers]]`, the servers are those that the SRV records of that
name list (RFC 2782):

```toml
[ldap]
srv = "_ldap._tcp.example.com"
use_tls = true
ca_cert_path = "/etc/ssl/certs/ldap-ca.pem"
```

- A record's target and port are a server, its priority is that server's `priority`, its weight that server's `weight`;
  everything else comes from `[ldap]`. At most 32 servers are taken, the best ones. The target "." says that the domain
  does not offer the service.
- The records are looked up again when their time to live is over, but not within 30 s and after 1 h at the latest, and
  when every server is down. Servers that are new are added, those that are gone are drained, the rest is left alone.
- When a look-up fails or finds nothing, the servers stay as they are; the log says so once. At start there are none yet:
  requests fail at once with an error that names the record and the cause, and the look-up is repeated after 1 s, 2 s …
  60 s.
- The name that a certificate is checked against is the target of the record. **Plain DNS is not authenticated:** who can
  forge its answers chooses the servers, and their names. Use TLS with `ca_cert_path` set to an authority of your own,
  which signs only your directory servers.

The addresses of a server's name are looked up for every new connection (an answer serves for 5 s; the old one serves on
when a look-up fails), and every address is tried (RFC 8305): IPv6 and IPv4 take turns, the next address is dialled 250 ms
after the one before, at once when that has failed, and the first that takes the connection counts; the others are closed
at once. If it then says nothing for `breaker.suspect_after` (StartTLS, TLS, the answer to the bind), the next address has
its turn, while there is one. All of that is one connection to `max_connecting` and `max_connections`, although up to four
sockets are dialled side by side for a moment. Connections move to a changed address as they age (`pool.max_lifetime`).

## What waits, and for how long

Every request has one deadline (its own `timeout`, or `limits.operation_timeout`); nothing below outlasts it, and a pause that
would is not begun. Within it:

| Option | What it bounds | Who waits | At its end | Test |
| --- | --- | --- | --- | --- |
| `timeout` | one connect as a whole: name look-up, TCP, TLS, bind | the connection being made, and whoever waits for it | the connect has failed (`connection_timeout`); `max_retries` | `gives_up_an_unanswered_connect_in_time` |
| `pool.timeout` | one wait for a connection; a lease's deadline unless it sets one | requests and leases for which no connection is free | `pool_timeout` | `pool_timeout_is_the_longest_wait_for_a_connection_and_ends_as_pool_timeout` |
| `failover.failover_timeout` | the wait at one server while there are others | requests that were not sent yet | the next server | `failover_timeout_is_the_longest_wait_at_one_server_while_there_are_others` |
| `limits.operation_timeout` | everything that a request waits for | a request without a `timeout` of its own | abandoned on the wire, `operation_timeout`; a write that was sent: `outcome_unknown` | `operation_timeout_is_the_deadline_of_a_request_that_sets_none` |
| `authenticator.timeout` | all requests of one login, look-up or search for groups | a call of an `authenticator` without a `timeout` of its own | `unavailable`, with the failure of the request that was under way | `a_login_ends_at_its_timeout` |
| `max_retries` | how often a request is tried again after a connect failed or its connection was lost: at another server at once, at the same one after `retry_delay`; 0: one attempt. Connects that a pool begins side by side to keep `pool.min_connections` open are one attempt, and what the monitor probes with is none | requests that are safe to repeat or were not sent; leases | the last failure, then `reconnect_attempts` | `max_retries_is_how_many_connects_follow_a_failed_one`, `stranger_that_accepts_and_closes_sees_a_connect_and_max_retries_more_of_a_request`, `max_retries_0_and_no_waiting_fails_a_lease_of_a_dead_server_at_once` |
| `retry_delay` | the pause before the next connect to a server, and a tenth more at random; while nobody waits for one it grows | whoever waits for that connection | the next connect | `retry_delay_is_the_pause_between_connects` |
| `recovery.auto_reconnect` | false: a server whose last connection was lost gets no other one, nor a probe's, until `connect()` is called again; `connect()` tries once | nobody | the error of the loss, at once; it says to call `connect()` | `auto_reconnect_off_connects_again_only_when_connect_is_called` |
| `recovery.reconnect_attempts` | the attempts of `connect()`, each one connect to each server; and how often a request is sent again whose connection was lost or could not be made | `connect()`; requests | the last failure, with what was waited for; repair in the background goes on | `reconnect_attempts_and_delay_are_attempts_of_connect_and_the_pause_between`, `reconnect_attempts_bound_a_callers_wait_after_a_loss` |
| `recovery.reconnect_delay` | the pause before each of these | the same | the next attempt | the same |
| `recovery.auto_recovery` | false: a new request is refused at once with the causes while every server is known to be down, and a busy server's answer is the caller's | nobody | `breaker_open` | `auto_recovery_off_refuses_at_once_when_all_servers_are_known_to_be_down` |
| `recovery.recovery_attempts` | how often a request is sent again that was refused because every server is known to be down, or answered busy (51) or unavailable (52) by each | requests that are safe to repeat or were not sent; not leases | the last failure, with what was waited for | `recovery_attempts_and_delay_are_how_often_and_when_a_busy_server_is_asked_again`, `auto_recovery_waits_when_all_servers_are_known_to_be_down_and_says_so` |
| `recovery.recovery_delay` | the pause before each of these; over as soon as a server is back | the same | the next attempt | the same, `auto_recovery_goes_on_as_soon_as_a_server_is_back` |
| `breaker.suspect_after` | the silence of a server that has requests to answer, or connects to make | requests sent there; requests that wait there while there are other servers | the server is probed; when that fails its breaker opens. What is safe goes to the next server | `suspect_after_is_how_long_a_silent_server_keeps_a_request_from_the_next`, `suspect_after_bounds_the_wait_for_a_server_that_hangs_before_it_is_connected_to` |
| `breaker.open_base`, `breaker.open_cap` | how long a server whose breaker opened gets nothing: the first, doubled each time, up to the second, and a fifth less or more at random | nobody: others serve, or see `auto_recovery` | the server is probed, then tried | `open_base_and_open_cap_are_how_long_a_server_that_failed_gets_nothing` |

A request's first failure decides whether it goes by `reconnect_*` or by `recovery_*`; no request waits for both.

## Changing settings while running

`connection_manager::reload()` and `reload_file()` check the new settings, report every problem and change nothing if there
is one. Otherwise what "Reload" marks with yes takes effect without losing a request:

- A server is known by its host and port. A new one is added; one that is gone gets nothing new, finishes what runs and waits
  for lent connections for `limits.drain_timeout`, then its connections close. One that stays keeps its connections.
- Pools grow at once; they shrink by closing what idles, and what is in use when it comes free.
- Connections that were made with other values (identity, source of the password, encryption, `timeout`, `max_retries`,
  `slow_call`, `suspect_after`, sizes of results and messages) are replaced one by one within seconds, the new one first.
- A pause that has begun (`retry_delay`, `hold_down`, `open_cap` of an open breaker or a silent server) ends sooner when it is
  shorter now. A server that was lost without `auto_reconnect` is connected to when that is switched on.
- A probe that is under way is begun anew when its connection would be made with other values.
- Listeners of a node: new ones open; those that are gone close, and who came by them finishes what he holds. One at the same
  address takes its new permission, certificates and revocation lists, which count for who is in as well, and its bounds, which
  count for who comes. When one cannot be opened, nothing changes. `insecure_loopback`, and the first listeners of a process that
  had none, take a restart.
- Options that take a restart keep their value and are reported.

## What is wrong

All problems are reported together, each as `FILE:LINE:COLUMN: key: what is wrong`; in JSON the place is
`FILE:POINTER`.

## Keys

"Reload" tells whether a reload applies a changed value; otherwise it takes a restart.
)";

constexpr std::string_view sample_head =
    R"(# Understudy: every setting. What is commented out shows its default, or an example where there is none.
# Times are seconds, or strings like "250ms", "5s", "2m", "1h". "${VAR}" and "${VAR:-default}" take environment variables.
)";

constexpr std::string_view conffile_head =
    R"(# Understudy's configuration, read by the service (systemctl start understudy). Nothing is set yet: it needs the
# directory's servers, host or uri below. What is commented out shows its default, or an example where there is none.
#
#   understudy check /etc/understudy/understudy.toml    says all that is wrong with it
#   systemctl reload understudy                         applies it, without losing a request
#
# Times are seconds, or strings like "250ms", "5s", "2m", "1h". "${VAR}" and "${VAR:-default}" take environment variables.
# All of it is in understudy.toml(5), and in /usr/share/doc/understudy/docs/configuration.md.
)";

/// Keys of [ldap] that the sample sets for all servers, and those that it sets for each.
constexpr std::string_view sample_common[] = {"bind_dn", "password", "use_tls"};
constexpr std::string_view sample_servers = R"(
# One table a server, each with any key of [ldap]. Lower priority numbers are preferred, equal ones share the load.
# Where DNS lists the servers, srv = "_ldap._tcp.example.com" in [ldap] stands for all of these tables.
[[ldap.servers]]
host = "ldap1.example.com"
priority = 1

[[ldap.servers]]
host = "ldap2.example.com"
priority = 2
)";
constexpr std::string_view only_for_one_server[] = {"host", "uri", "srv"};

template <class Names>
bool is_in(const Names& names, std::string_view key) {
  return std::find(std::begin(names), std::end(names), key) != std::end(names);
}

std::string_view type_name(option_type type) {
  switch (type) {
    case option_type::boolean:
      return "boolean";
    case option_type::integer:
      return "integer";
    case option_type::real:
      return "number";
    case option_type::span:
      return "span";
    case option_type::secret_text:
      return "string, secret";
    case option_type::path:
      return "string, path";
    case option_type::words:
    case option_type::texts:
      return "array of strings";
    case option_type::text:
    case option_type::choice:
      break;
  }
  return "string";
}

bool has_default(const option& row) { return is_set(default_of(row)); }

/// The option whose value is this one's default, null when it has a default of its own.
const option* default_source(const option& row) {
  const auto dot = row.default_note.find('.');
  if (dot == std::string_view::npos) return nullptr;
  return find_option(row.default_note.substr(0, dot), row.default_note.substr(dot + 1));
}

std::string default_text(const option& row) {
  if (default_source(row)) return '`' + std::string{row.default_note} + '`';
  if (!row.default_note.empty()) return std::string{row.default_note};
  return has_default(row) ? '`' + to_toml_text(row, default_of(row)) + '`' : "not set";
}

std::string range_and_unit(const option& row) {
  std::string text = range_text(row);
  if (!row.unit.empty() && row.type != option_type::span) text += ' ' + std::string{row.unit};
  if (row.type == option_type::span && row.unit == "ms") text += ", in ms";
  return text;
}

std::string markdown_row(const option& row) {
  std::string line = "| `" + std::string{row.key} + "` | " + std::string{type_name(row.type)} + " | ";
  line += default_text(row) + " | " + range_and_unit(row) + " | " + (row.reloadable ? "yes" : "no") + " | ";
  return line + std::string{row.meaning} + " |\n";
}

std::string markdown_section(const option_section& section) {
  std::string text = "\n### " + shown(section) + "\n\n" + std::string{section.meaning} + '\n';
  if (keys_of(section.name).empty()) return text;
  text += "\n| Key | Type | Default | Range | Reload | Meaning |\n| --- | --- | --- | --- | --- | --- |\n";
  for (const auto& each : options())
    if (each.section == section.name) text += markdown_row(each);
  return text;
}

std::string sample_value(const option& row) {
  if (const auto* source = default_source(row)) return sample_value(*source);
  if (has_default(row)) return to_toml_text(row, default_of(row));
  return row.type == option_type::words || row.type == option_type::texts ? std::string{row.example}
                                                                          : '"' + std::string{row.example} + '"';
}

std::string sample_comment(const option& row) {
  std::string text = "# " + std::string{row.meaning};
  std::string extra = range_and_unit(row);
  if (!row.reloadable) extra += extra.empty() ? "needs a restart" : "; needs a restart";
  return extra.empty() ? text + '\n' : text + " (" + extra + ")\n";
}

/// As a line that does nothing yet.
std::string commented_key(const option& row) {
  return sample_comment(row) + '#' + std::string{row.key} + " = " + sample_value(row) + '\n';
}

/// use_tls is the one switch that the sample turns on.
std::string sample_key(const option& row) {
  const bool set = row.section == server_section && is_in(sample_common, row.key);
  const std::string value = set && row.type == option_type::boolean ? "true" : sample_value(row);
  return sample_comment(row) + (set ? "" : "#") + std::string{row.key} + " = " + value + '\n';
}

std::string sample_section(const option_section& section) {
  // One table of a list would be one that nobody asked for.
  std::string text = "\n# " + std::string{section.meaning} + '\n' + (section.listed ? "#" : "") + shown(section) + '\n';
  for (const auto& each : options()) {
    const bool placed_elsewhere = section.name == server_section && is_in(only_for_one_server, each.key);
    if (each.section == section.name && !placed_elsewhere) text += sample_key(each);
  }
  return section.name == server_section ? text + std::string{sample_servers} : text;
}

}  // namespace

option_words describe_option(const option& row) {
  return {std::string{type_name(row.type)}, default_text(row), range_and_unit(row)};
}

std::string conffile_toml() {
  std::string text{conffile_head};
  for (const auto& section : option_sections()) {
    text += "\n# " + std::string{section.meaning} + '\n' + (section.listed ? "#" : "") + shown(section) + '\n';
    for (const auto& each : options())
      if (each.section == section.name) text += commented_key(each);
    if (section.name != server_section) continue;
    std::istringstream servers{std::string{sample_servers}};
    for (std::string line; std::getline(servers, line);)
      text += (line.empty() || line[0] == '#' ? "" : "#") + line + '\n';
  }
  return text;
}

std::string options_markdown() {
  std::string text{introduction};
  for (const auto& section : option_sections()) text += markdown_section(section);
  return text;
}

std::string sample_toml() {
  std::string text{sample_head};
  for (const auto& section : option_sections()) text += sample_section(section);
  return text;
}

}  // namespace understudy::internal
