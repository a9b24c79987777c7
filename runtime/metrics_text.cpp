// Which metrics there are, and where in a snapshot each is found.
#include "understudy/runtime/metrics_text.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/runtime/client/readiness.hpp"
#include "understudy/runtime/platform/prometheus_writer.hpp"

#include <algorithm>

namespace understudy {
namespace {

using internal::printable;
using writer = internal::prometheus_writer;
using type = writer::type;

double in_seconds(duration span) { return std::chrono::duration<double>(span).count(); }

/// latency_bounds in seconds.
std::vector<double> bounds() {
  std::vector<double> found;
  found.reserve(latency_bounds.size());
  for (const auto bound : latency_bounds) found.push_back(in_seconds(bound));
  return found;
}

void histogram(writer& to, std::string_view name, std::string_view help, const latency_counts& counts) {
  to.family(name, type::histogram, help);
  to.histogram(bounds(), counts.at_most, counts.count, in_seconds(counts.total));
}

void one(writer& to, std::string_view name, type kind, std::string_view help, std::uint64_t value) {
  to.family(name, kind, help);
  to.sample(value);
}

std::string name_of(const server_snapshot& server) { return printable(internal::server_name(server)); }

/// One number a server.
template <class Value>
void each_server(writer& to, const runtime_snapshot& state, std::string_view name, type kind, std::string_view help,
                 Value value) {
  to.family(name, kind, help);
  for (const auto& server : state.servers) to.sample({{"server", name_of(server)}}, value(server));
}

void each_pool(writer& to, const runtime_snapshot& state, std::string_view name, type kind, std::string_view help,
               std::uint64_t pool_snapshot::*member) {
  each_server(to, state, name, kind, help, [member](const server_snapshot& s) { return s.pool.*member; });
}

void write_operations(writer& to, const runtime_snapshot& state) {
  const auto& all = state.operations;
  to.family("understudy_operations_total", type::counter,
            "Requests that ended, and leases and connects that failed, by what became of them.");
  for (std::size_t i = 0; i < all.by_error.size(); ++i) {
    const auto code = static_cast<errc>(i);
    to.sample({{"outcome", code == errc::none ? "success" : std::string{to_string(code)}}}, all.by_error[i]);
  }
  one(to, "understudy_operations_failed_by_directory_total", type::counter,
      "Of these, the ones that the directory failed: no connection, no answer in time, busy, its own bind refused.",
      all.failed_by_directory);
  histogram(to, "understudy_operation_duration_seconds", "From being asked to being answered.", all.latency);
  one(to, "understudy_operations_in_flight", type::gauge, "Requests that were asked and are not answered.",
      state.requests_in_flight);
  one(to, "understudy_redispatches_total", type::counter, "Requests that were given to another connection.",
      all.recast);
  histogram(to, "understudy_connect_duration_seconds", "Until a connection was ready: look-up, TCP, TLS and bind.",
            state.connects);
  one(to, "understudy_protocol_errors_total", type::counter,
      "Connections ended because a server sent what is no LDAP, or an answer that nobody asked for.",
      state.protocol_errors);
  one(to, "understudy_credentials_refused", type::gauge,
      "1 while the directory refuses the service's own bind, else 0.", state.credentials_refused ? 1 : 0);
  to.family("understudy_active_priority", type::gauge, "Priority of the level that serves; absent while none does.");
  if (const auto level = internal::serving_priority(state)) to.sample({}, static_cast<double>(*level));
}

void write_states(writer& to, const runtime_snapshot& state) {
  to.family("understudy_server_state", type::gauge,
            "1 for the state that the server is in, else 0; for none while nothing has been heard from it.");
  for (const auto& server : state.servers)
    for (const auto each : {server_state::healthy, server_state::suspect, server_state::down, server_state::suspended})
      to.sample({{"server", name_of(server)}, {"state", std::string{to_string(each)}}},
                std::uint64_t{server.state == each && !server.untried ? 1U : 0U});
  to.family("understudy_breaker_state", type::gauge, "1 for the state that the server's breaker is in, else 0.");
  for (const auto& server : state.servers)
    for (const auto each :
         {breaker_state::closed, breaker_state::open, breaker_state::half_open, breaker_state::suspended})
      to.sample({{"server", name_of(server)}, {"state", std::string{to_string(each)}}},
                std::uint64_t{server.breaker == each ? 1U : 0U});
}

void write_servers(writer& to, const runtime_snapshot& state) {
  each_server(to, state, "understudy_server_up", type::gauge, "1 while requests can be given to the server, else 0.",
              [&](const server_snapshot& s) { return std::uint64_t{internal::is_usable(s, state) ? 1U : 0U}; });
  each_server(to, state, "understudy_server_serving", type::gauge,
              "1 while the server belongs to the level that reads go to, else 0.",
              [&](const server_snapshot& s) { return std::uint64_t{internal::is_serving(s, state) ? 1U : 0U}; });
  each_server(to, state, "understudy_server_priority", type::gauge, "As configured; lower is preferred.",
              [](const server_snapshot& s) { return static_cast<double>(s.priority); });
  each_server(to, state, "understudy_server_global_catalog", type::gauge,
              "1 for a server that gets look-ups of users and groups and nothing else, else 0.",
              [](const server_snapshot& s) { return std::uint64_t{s.global_catalog ? 1U : 0U}; });
  write_states(to, state);
  each_server(to, state, "understudy_breaker_opened_total", type::counter, "How often the server's breaker opened.",
              [](const server_snapshot& s) { return s.breaker_opened; });
  each_server(to, state, "understudy_server_latency_seconds", type::gauge, "Moving average of the server's answers.",
              [](const server_snapshot& s) { return in_seconds(s.latency); });
}

void write_pools(writer& to, const runtime_snapshot& state) {
  to.family("understudy_pool_connections", type::gauge, "Sockets to the server, by what they do.");
  for (const auto& server : state.servers) {
    const auto& now = server.pool.now;
    const std::pair<const char*, std::uint64_t> kinds[] = {
        {"idle", now.idle}, {"in_use", now.in_use}, {"connecting", now.connecting}};
    for (const auto& [kind, count] : kinds) to.sample({{"server", name_of(server)}, {"state", kind}}, count);
  }
  each_server(to, state, "understudy_pool_min_connections", type::gauge, "Connections kept open.",
              [](const server_snapshot& s) { return std::uint64_t{s.pool.min_connections}; });
  each_server(to, state, "understudy_pool_max_connections", type::gauge, "Sockets at most.",
              [](const server_snapshot& s) { return std::uint64_t{s.pool.max_connections}; });
  each_server(to, state, "understudy_pool_leased_connections", type::gauge, "Connections that somebody holds.",
              [](const server_snapshot& s) { return std::uint64_t{s.pool.leased}; });
  each_server(to, state, "understudy_pool_in_flight_operations", type::gauge, "Operations on the server's connections.",
              [](const server_snapshot& s) { return std::uint64_t{s.pool.now.in_flight}; });
  each_server(to, state, "understudy_pool_waiters", type::gauge, "Requests that wait for a connection.",
              [](const server_snapshot& s) { return std::uint64_t{s.pool.now.waiters}; });
  each_server(to, state, "understudy_pool_longest_wait_seconds", type::gauge,
              "How long the first of them has waited; 0 while nobody does.",
              [](const server_snapshot& s) { return in_seconds(s.pool.longest_wait); });
  const auto total = [&](std::string_view name, std::string_view help, std::uint64_t pool_snapshot::*member) {
    each_pool(to, state, name, type::counter, help, member);
  };
  total("understudy_pool_leases_acquired_total", "Leases granted.", &pool_snapshot::acquired);
  total("understudy_pool_leases_released_total", "Leases that ended.", &pool_snapshot::released);
  total("understudy_pool_leaks_total", "Leases reported as held too long.", &pool_snapshot::leaks);
  total("understudy_pool_dispatched_total", "Requests handed to a connection.", &pool_snapshot::dispatched);
  total("understudy_pool_completed_total", "Of these, answered, failed or given to another.",
        &pool_snapshot::completed);
  total("understudy_pool_opened_total", "Connections that became ready.", &pool_snapshot::opened);
  total("understudy_pool_closed_total", "Ready connections that ended.", &pool_snapshot::closed);
  total("understudy_pool_connect_failures_total", "Connects that never became ready.",
        &pool_snapshot::connect_failures);
  total("understudy_pool_wait_timeouts_total", "Waits for a connection whose time was over.", &pool_snapshot::timeouts);
  total("understudy_pool_refused_total", "Requests refused because too many waited.", &pool_snapshot::refused);
  each_server(to, state, "understudy_pool_acquisition_seconds_total", type::counter,
              "Time that granted leases waited, together.",
              [](const server_snapshot& s) { return in_seconds(s.pool.acquisition_time); });
}

bool shares(const runtime_snapshot& state) {
  for (const auto& server : state.servers)
    if (server.budget.total > 0) return true;
  return false;
}

void write_cluster(writer& to, const runtime_snapshot& state) {
  if (!state.peers.empty()) {
    to.family("understudy_peer_connected", type::gauge, "1 while the other node is linked, else 0.");
    for (const auto& peer : state.peers)
      to.sample({{"peer", printable(peer.name)}}, std::uint64_t{peer.connected ? 1U : 0U});
  }
  if (!shares(state)) return;
  to.family("understudy_budget_sockets", type::gauge,
            "Sockets that the nodes of the cluster share, by whose they are.");
  for (const auto& server : state.servers) {
    const auto& b = server.budget;
    const std::pair<const char*, std::uint64_t> kinds[] = {{"total", b.total},   {"owned", b.share},
                                                           {"lent", b.lent},     {"borrowed", b.borrowed},
                                                           {"in_use", b.opened}, {"wanted", b.wanted}};
    for (const auto& [kind, count] : kinds) to.sample({{"server", name_of(server)}, {"kind", kind}}, count);
  }
}

void write_clients(writer& to, const runtime_snapshot& state) {
  if (state.client_listeners.empty()) return;
  const auto each = [&](std::string_view name, type kind, std::string_view help, auto member) {
    to.family(name, kind, help);
    for (const auto& listener : state.client_listeners)
      to.sample({{"listener", printable(listener.address)}}, std::uint64_t{listener.*member});
  };
  using seen = client_listener_snapshot;
  each("understudy_clients", type::gauge, "LDAP clients that are in at the front door.", &seen::clients);
  each("understudy_clients_accepted_total", type::counter, "LDAP clients that came in.", &seen::accepted);
  each("understudy_clients_turned_away_total", type::counter, "LDAP clients that did not get in.", &seen::turned_away);
  to.family("understudy_client_operations_total", type::counter,
            "What LDAP clients asked, by operation, as whom, and what came of it.");
  for (const auto& listener : state.client_listeners)
    for (const auto& of : listener.operations)
      to.sample({{"listener", printable(listener.address)},
                 {"operation", printable(of.operation)},
                 {"identity", std::string{to_string(of.identity)}},
                 {"result", std::string{to_string(of.ended)}}},
                of.count);
}

void write_certificates(writer& to, const std::vector<certificate_validity>& certificates) {
  if (certificates.empty()) return;
  to.family("understudy_certificate_readable", type::gauge,
            "1 while the file that this key names can be read, else 0.");
  for (const auto& each : certificates)
    to.sample({{"use", printable(each.use)}}, std::uint64_t{each.readable ? 1U : 0U});
  if (std::none_of(certificates.begin(), certificates.end(), [](const auto& each) { return each.not_after; })) return;
  to.family("understudy_certificate_not_after_timestamp_seconds", type::gauge,
            "When the first certificate of the file that this key names ends, in seconds since 1970.");
  for (const auto& each : certificates)
    if (each.not_after)
      to.sample({{"use", printable(each.use)}},
                std::chrono::duration<double>(each.not_after->time_since_epoch()).count());
}

}  // namespace

std::string metrics_text(const runtime_snapshot& state, const std::vector<certificate_validity>& certificates) {
  writer to;
  to.family("understudy_build_info", type::gauge, "1; the label says which version runs.");
  to.sample({{"version", UNDERSTUDY_VERSION}}, std::uint64_t{1});
  write_operations(to, state);
  write_servers(to, state);
  write_pools(to, state);
  write_cluster(to, state);
  write_clients(to, state);
  write_certificates(to, certificates);
  return to.take();
}

}  // namespace understudy
