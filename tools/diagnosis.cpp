// One function for each kind of evidence: see diagnosis.hpp.
#include "understudy/tools/diagnosis.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/tools/certificate_look.hpp"
#include "understudy/tools/trial_text.hpp"

#include <algorithm>
#include <set>

namespace understudy::cli {

using namespace internal;
namespace {

using area = diagnosis_area;
using config::format_span;

std::string key_of(std::string_view section, std::string_view key) {
  return std::string{section} + "." + std::string{key};
}

void compare(diagnoses& found, bool wrong, std::string_view key, duration value, std::string_view other,
             duration other_value, const std::string& text, const std::string& advice) {
  if (!wrong) return;
  found.push_back({area::configuration, false, std::string{key},
                   std::string{key} + " (" + format_span(value) + ") is not less than " + std::string{other} + " (" +
                       format_span(other_value) + "): " + text,
                   advice});
}

constexpr std::string_view blanks = " \t";

/// What is behind `text`'s blanks, and behind one quotation mark there: keys of JSON, and some of TOML, have them.
std::string_view behind_blanks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  if (text.starts_with('"')) text.remove_prefix(1);
  return text;
}

/// True where a key may stand: `before` is the line so far.
bool may_begin_a_key(std::string_view before) {
  if (before.ends_with('"')) before.remove_suffix(1);
  before = before.substr(0, before.find_last_not_of(blanks) + 1);
  return before.empty() || before.ends_with('{') || before.ends_with(',');
}

/// A key with a literal in a line; what comes from the environment, a file or a command stands elsewhere.
bool holds_a_secret(std::string_view line) {
  for (const std::string_view key : {"password", "client_key_password", "admin_token"}) {
    for (auto at = line.find(key); at != std::string_view::npos; at = line.find(key, at + 1)) {
      const auto rest = behind_blanks(line.substr(at + key.size()));
      if (!may_begin_a_key(line.substr(0, at))) continue;
      const auto value = rest.substr(std::min(rest.find_first_not_of(blanks), rest.size()));
      if (!value.starts_with('=') && !value.starts_with(':')) continue;
      const auto literal = value.substr(1, value.find_first_of(",}") - 1);
      if (literal.find_first_not_of(" \t\r\"'") == std::string_view::npos) continue;
      if (literal.find("${") == std::string_view::npos) return true;
    }
  }
  return false;
}

std::size_t lines_with_secrets(std::string_view text) {
  std::size_t count = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    if (holds_a_secret(text.substr(0, end))) ++count;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return count;
}

std::string trees_named(const std::vector<std::string>& names) {
  if (names.empty()) return "nothing";
  return joined(names, "; ", [](const std::string& name) { return shortened(name); });
}

/// Names of trees compare without case, in any order.
std::set<std::string> as_set(const std::vector<std::string>& names) {
  std::set<std::string> all;
  for (const auto& name : names) all.insert(ascii_lower(name));
  return all;
}

std::string whole_seconds(duration span) { return format_span(std::chrono::duration_cast<seconds>(span)); }

std::string in_a_moment(const std::optional<milliseconds>& retry_after) {
  return retry_after ? "in " + format_span(std::max(std::chrono::ceil<seconds>(*retry_after), seconds{1}))
                     : std::string{"before long"};
}

/// What the node's own probe of it, a moment ago, comes to beside what the node does.
void probe_by_node(diagnoses& found, const server_snapshot& server, const probe_report& probe) {
  const auto breaker = std::string{to_string(server.breaker)};
  // Advice speaks of the node's configuration, not of the options that name the node.
  auto failed = from_probe(server_name(server), probe, {});
  for (auto& each : failed)
    if (each.text.starts_with("fails at ")) each.text = "for the node it " + each.text + "; breaker " + breaker;
  found.insert(found.end(), std::make_move_iterator(failed.begin()), std::make_move_iterator(failed.end()));
  if (probe.ok && server.breaker == breaker_state::open)
    found.push_back({area::server, false, server_name(server),
                     "the node sends it nothing although it answers now: breaker open" +
                         (server.last_error.empty() ? "" : "; the last failure: " + server.last_error),
                     "it is tried again " + in_a_moment(server.retry_after) + ", by itself"});
  else if (probe.ok && server.state == server_state::suspect)
    found.push_back(
        {area::server, false, server_name(server),
         "it answers now, and was suspected before" + (server.last_error.empty() ? "" : ": " + server.last_error), ""});
}

void server_of_node(diagnoses& found, const server_snapshot& server, const probe_report* probe) {
  const auto name = server_name(server);
  const auto error = server.last_error.empty() ? server.pool.last_error : server.last_error;
  const bool probed = probe != nullptr && server.state != server_state::suspended;
  if (probed)
    probe_by_node(found, server, *probe);
  else if (server.state == server_state::down || server.breaker == breaker_state::open)
    found.push_back({area::server, true, name,
                     "the node gets no answer from it: breaker " + std::string{to_string(server.breaker)} +
                         (error.empty() ? "" : "; " + error),
                     "understudy health --node, or -c with the node's file, names the step that fails"});
  else if (server.state == server_state::suspended)
    found.push_back({area::server, false, name, "it is suspended by order and gets nothing",
                     "understudy resume --node … " + name + " has it used again"});
  else if (server.state == server_state::suspect)
    found.push_back({area::server, false, name, "it is suspected" + (error.empty() ? "" : ": " + error), ""});
  const bool told = probed && probe->warning == server.warning;
  if (!server.warning.empty() && !told) found.push_back({area::server, true, name, server.warning, ""});
  const auto& pool = server.pool;
  if (pool.now.waiters > 0 && pool.longest_wait >= seconds{1})
    found.push_back({area::server, true, name,
                     std::to_string(pool.now.waiters) + " requests wait for a connection, the longest for " +
                         format_span(std::chrono::duration_cast<milliseconds>(pool.longest_wait)),
                     pool.now.size >= pool.max_connections
                         ? "all " + std::to_string(pool.max_connections) +
                               " of pool.max_connections are open: raise it, "
                               "or see who holds them (understudy status)"
                         : "connections cannot be had fast enough; its last error says why"});
  if (pool.refused > 0)
    found.push_back({area::server, false, name,
                     std::to_string(pool.refused) + " requests were refused since the start because pool.max_waiters "
                                                    "waited already",
                     "raise pool.max_connections, or find out why answers are slow"});
  if (pool.leaks > 0)
    found.push_back({area::node, false, name,
                     std::to_string(pool.leaks) + " connections were held longer than pool.leak_threshold",
                     "the log names their holders"});
  if (pool.growth_limit > 0)
    found.push_back(
        {area::server, false, name,
         "no more than " + std::to_string(pool.growth_limit) + " connections can be had although the open ones answer",
         "the server, or something before it, limits connections: lower pool.max_connections, or raise "
         "that limit"});
}

}  // namespace

std::string_view to_string(diagnosis_area which) noexcept {
  switch (which) {
    case area::configuration:
      return "configuration";
    case area::secrets:
      return "secrets";
    case area::limits:
      return "limits";
    case area::certificate:
      return "certificate";
    case area::server:
      return "server";
    case area::clock:
      return "clock";
    case area::node:
      break;
  }
  return "node";
}

diagnoses from_configuration(const std::vector<config_problem>& problems, const std::vector<config_problem>& warnings) {
  diagnoses found;
  for (const auto& each : problems) found.push_back({area::configuration, true, each.key, describe(each), ""});
  for (const auto& each : warnings) found.push_back({area::configuration, false, each.key, describe(each), ""});
  return found;
}

diagnoses from_values(const settings& all) {
  diagnoses found;
  const auto deadline = all.limits.operation_timeout;
  const bool several = all.servers.size() > 1;
  const std::string limit = "limits.operation_timeout";
  compare(found, all.breaker.suspect_after >= deadline, "breaker.suspect_after", all.breaker.suspect_after, limit,
          deadline, "a server that hangs is suspected only when its requests have failed",
          "a second is enough for most directories");
  if (several)
    compare(found, all.failover.failover_timeout >= deadline, "failover.failover_timeout",
            all.failover.failover_timeout, limit, deadline,
            "a request that waits for a connection never gets to the next server", "keep it well below");
  compare(found, all.breaker.slow_call >= deadline, "breaker.slow_call", all.breaker.slow_call, limit, deadline,
          "no answer is ever slow, so a server that slows down keeps its requests", "keep it well below");
  const auto again = all.recovery.reconnect_attempts * all.recovery.reconnect_delay;
  compare(found, again >= deadline && all.recovery.reconnect_attempts > 0,
          "recovery.reconnect_attempts times recovery.reconnect_delay", again, limit, deadline,
          "the last attempts never happen", "lower one of both, or raise the limit");
  const auto recovering = all.recovery.recovery_attempts * all.recovery.recovery_delay;
  compare(found, all.recovery.auto_recovery && recovering >= deadline && all.recovery.recovery_attempts > 0,
          "recovery.recovery_attempts times recovery.recovery_delay", recovering, limit, deadline,
          "the last attempts never happen", "lower one of both, or raise the limit");
  compare(found, several && all.breaker.suspect_after >= all.authenticator.timeout, "breaker.suspect_after",
          all.breaker.suspect_after, "authenticator.timeout", all.authenticator.timeout,
          "a login ends before another server is asked", "give logins some seconds");
  for (const auto& server : all.servers)
    if (server.timeout <= milliseconds{200} && !endpoint_of(server).loopback())
      found.push_back({area::configuration, false, server_name(server),
                       "timeout is " + format_span(server.timeout) +
                           " for the name look-up, TCP, TLS and the bind together: a busy moment fails all connects",
                       "give it seconds; breaker.suspect_after bounds what callers wait"});
  if (all.pool.max_lifetime > duration::zero() && all.pool.max_lifetime < seconds{30})
    found.push_back({area::configuration, false, key_of("pool", "max_lifetime"),
                     "every connection is replaced after " + format_span(all.pool.max_lifetime) +
                         ": the directory is busy with binds",
                     "minutes or hours are usual"});
  return found;
}

diagnoses from_limits(const settings& all, std::uint64_t descriptors) {
  if (descriptors == 0) return {};
  // Epoll, timers, logs, standard descriptors, files that are being read.
  constexpr std::uint64_t own = 64;
  std::uint64_t directory = 0, clients = 0;
  for (const auto& server : all.servers)
    directory += static_cast<std::uint64_t>(all.server_pools ? server.max_pool_size : all.pool.max_connections);
  for (const auto& door : all.front_door.listeners) clients += static_cast<std::uint64_t>(door.max_clients);
  for (const auto& nodes : all.node.listeners) clients += static_cast<std::uint64_t>(nodes.max_peers);
  const auto needed = own + directory + clients;
  if (needed <= descriptors) return {};
  return {{area::limits, directory + own > descriptors, "ulimit -n",
           "up to " + std::to_string(needed) + " descriptors may be needed (" + std::to_string(directory) +
               " for connections to servers, " + std::to_string(clients) +
               " for clients and nodes that come in), and this process may have " + std::to_string(descriptors),
           "raise it (ulimit -n, LimitNOFILE of the unit), or lower pool.max_connections, max_clients or max_peers"}};
}

diagnoses from_secrets(std::string_view text, const std::string& path, bool others_may_read,
                       const std::vector<secret_file>& files) {
  diagnoses found;
  if (others_may_read && lines_with_secrets(text) > 0)
    found.push_back({area::secrets, true, path,
                     "a secret stands in the configuration, and others than its owner may read the file",
                     "chmod 600, or move it: password_file, password_command, \"${VAR}\""});
  for (const auto& file : files) {
    if (file.others_may_read)
      found.push_back({area::secrets, true, file.path, "others than its owner may read the file of " + file.key,
                       "chmod 600 " + shell_words({file.path})});
    if (file.blank_end)
      found.push_back({area::secrets, false, file.path,
                       "the file of " + file.key +
                           " ends with white space beside the one newline that is ignored: it is "
                           "taken as a part of the secret",
                       "write it anew, with printf '%s', if that is not meant"});
  }
  return found;
}

diagnoses from_certificate_files(const std::vector<certificate_file_end>& ends, wall_time now) {
  diagnoses found;
  for (const auto& each : ends) {
    if (each.end - now >= certificate_notice) continue;
    config::certificate_summary summary;
    summary.end = each.end;
    found.push_back({area::certificate, each.end < now, each.path,
                     "the certificate of " + each.key + " " + validity_of(summary, now) + " (" + utc(each.end) + ")",
                     "replace the file; it is read again without a restart"});
  }
  return found;
}

diagnoses from_certificates(const std::string& server, const std::vector<config::certificate_summary>& shown,
                            wall_time now) {
  diagnoses found;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const auto& each = shown[i];
    const bool early = each.begin && *each.begin > now;
    if (!early && (!each.end || *each.end - now >= certificate_notice)) continue;
    const bool over = each.end && *each.end < now;
    found.push_back({area::certificate, early || over, server,
                     (i == 0 ? "the server's certificate "
                             : "a certificate that it shows with its own, of " + shortened(each.subject) + ", ") +
                         validity_of(each, now) + (each.end ? " (" + utc(*each.end) + ")" : ""),
                     early ? "this machine's clock says " + utc(now) + ": is it right?"
                           : "whoever runs the directory has to renew it"});
  }
  return found;
}

diagnoses from_probe(const std::string& name, const probe_report& probe, const given_options& given) {
  diagnoses found;
  if (!probe.warning.empty())
    found.push_back({area::server, true, name, probe.warning, "change the service's password in time"});
  if (probe.ok || !probe.error) return found;
  const bool credential = classify(*probe.error) == failure_class::credential;
  const auto step = probe.steps.empty() || probe.steps.back().ok ? probe.error->where : probe.steps.back().what;
  const auto whole = explain(*probe.error, given);
  auto what = what_happened(*probe.error, given);
  std::string advice;
  if (whole.size() > what.size() + 2) advice = whole.substr(what.size() + 2);
  if (credential && advice.empty())
    advice = "give the right password; it is tried again when its source changes, within a minute";
  found.push_back({area::server, true, name, "fails at " + std::string{step_name(step)} + ": " + std::move(what),
                   std::move(advice)});
  return found;
}

diagnoses from_directories(const std::vector<directory_facts>& all) {
  diagnoses found;
  for (const auto& each : all) {
    if (!each.current_time) continue;
    const auto skew = *each.current_time - each.asked_at;
    if (skew < clock_tolerance && -skew < clock_tolerance) continue;
    const bool ahead = skew > duration::zero();
    found.push_back(
        {area::clock, true, each.server,
         "its clock is " + whole_seconds(ahead ? skew : -skew) + (ahead ? " ahead of" : " behind") + " this machine's",
         "synchronise both (NTP): certificates, Kerberos and password ages depend on it"});
  }
  if (all.empty()) return found;
  const auto& first = all.front();
  for (const auto& each : all) {
    if (as_set(each.naming_contexts) != as_set(first.naming_contexts))
      found.push_back({area::server, true, each.server,
                       "holds other trees than " + first.server + ": " + trees_named(each.naming_contexts) + ", not " +
                           trees_named(first.naming_contexts),
                       "servers of one configuration stand in for each other: they must hold the same"});
    if (each.vendor != first.vendor)
      found.push_back({area::server, false, each.server,
                       "is another product or version than " + first.server + ": " +
                           (each.vendor.empty() ? "it does not say which" : shortened(each.vendor)) + ", not " +
                           (first.vendor.empty() ? "one that does not say which" : shortened(first.vendor)),
                       "answers may differ when one takes over from the other"});
  }
  return found;
}

diagnoses from_node(const runtime_snapshot& state, const std::vector<probe_report>& probes) {
  diagnoses found;
  for (const auto& server : state.servers) {
    const auto probe =
        std::find_if(probes.begin(), probes.end(), [&](const probe_report& each) { return each.server == server.id; });
    server_of_node(found, server, probe == probes.end() ? nullptr : &*probe);
  }
  if (!state.servers.empty() && !state.active_priority)
    found.push_back({area::node, true, "servers", "no server serves: every request fails now", ""});
  if (state.credentials_refused)
    found.push_back(
        {area::server, true, "bind_dn", "the directory refuses the service's own bind",
         "give the right password: its source is read again every minute, understudy resume tries at once"});
  for (const auto& peer : state.peers)
    if (!peer.connected)
      found.push_back({area::node, true, peer.name,
                       "there is no link to this node" + (peer.last_error.empty() ? "" : ": " + peer.last_error), ""});
  const auto& lately = state.operations.last_five_minutes;
  constexpr double acceptable = 0.05;
  if (lately.total > 0 &&
      static_cast<double>(lately.failed_by_directory) > acceptable * static_cast<double>(lately.total))
    found.push_back({area::node, true, "operations",
                     "of the last five minutes' " + std::to_string(lately.total) + " requests the directory failed " +
                         std::to_string(lately.failed_by_directory),
                     "the log and /api/events say which and why"});
  return found;
}

}  // namespace understudy::cli
