// Snapshots and probe reports as JSON.
#include "understudy/runtime/state_json.hpp"

#include "understudy/messages/time_units.hpp"
#include "understudy/runtime/client/readiness.hpp"

#include <nlohmann/json.hpp>

namespace understudy {
namespace {

using nlohmann::json;

using internal::in_milliseconds;

json pool_json(const pool_snapshot& pool) {
  return {{"size", pool.now.size},
          {"idle", pool.now.idle},
          {"in_use", pool.now.in_use},
          {"in_flight", pool.now.in_flight},
          {"waiters", pool.now.waiters},
          {"longest_wait_ms", in_milliseconds(pool.longest_wait)},
          {"connecting", pool.now.connecting},
          {"min_connections", pool.min_connections},
          {"max_connections", pool.max_connections},
          {"leased", pool.leased},
          {"acquired", pool.acquired},
          {"released", pool.released},
          {"dispatched", pool.dispatched},
          {"completed", pool.completed},
          {"fresh", pool.fresh},
          {"acquisition_time_ms", in_milliseconds(pool.acquisition_time)},
          {"opened", pool.opened},
          {"closed", pool.closed},
          {"connect_failures", pool.connect_failures},
          {"timeouts", pool.timeouts},
          {"refused", pool.refused},
          {"leaks", pool.leaks},
          {"growth_limit", pool.growth_limit == 0 ? json(nullptr) : json(pool.growth_limit)},
          {"last_error", pool.last_error.empty() ? json(nullptr) : json(pool.last_error)},
          {"last_error_at", pool.last_error_at ? json(utc(*pool.last_error_at)) : json(nullptr)}};
}

json when_json(const std::optional<wall_time>& at) { return at ? json(utc(*at)) : json(nullptr); }

json budget_json(const budget_snapshot& budget) {
  if (budget.total == 0) return nullptr;
  return {{"total", budget.total},       {"owned", budget.share},   {"lent", budget.lent},
          {"borrowed", budget.borrowed}, {"in_use", budget.opened}, {"wanted", budget.wanted}};
}

json peer_json(const peer_snapshot& peer) {
  return {{"name", peer.name},
          {"state", peer.connected ? "connected" : "not connected"},
          {"since", when_json(peer.since)},
          {"link", peer.link.empty() ? json(nullptr) : json(peer.link)},
          {"last_error", peer.last_error.empty() ? json(nullptr) : json(peer.last_error)},
          {"last_error_at", when_json(peer.last_error_at)}};
}

json window_json(const operation_window& window) {
  return {{"total", window.total}, {"failed", window.failed}, {"failed_by_directory", window.failed_by_directory}};
}

/// Of those that happened.
json errors_json(const std::vector<std::uint64_t>& by_error) {
  json errors = json::object();
  for (std::size_t i = 1; i < by_error.size(); ++i)
    if (by_error[i] > 0) errors[std::string{to_string(static_cast<errc>(i))}] = by_error[i];
  return errors;
}

json latency_json(const operation_totals& all) {
  json steps = json::array();
  for (std::size_t i = 0; i < all.latency.at_most.size() && i < latency_bounds.size(); ++i)
    steps.push_back({{"at_most_ms", in_milliseconds(latency_bounds[i])}, {"count", all.latency.at_most[i]}});
  return {{"p50", in_milliseconds(all.p50)},
          {"p99", in_milliseconds(all.p99)},
          {"p999", in_milliseconds(all.p999)},
          {"max", in_milliseconds(all.max)},
          {"total", in_milliseconds(all.duration_total)},
          {"steps", std::move(steps)}};
}

json operations_json(const operation_totals& all) {
  return {{"total", all.total},
          {"succeeded", all.succeeded},
          {"failed", all.failed},
          {"failed_by_directory", all.failed_by_directory},
          {"redispatched", all.recast},
          {"last_minute", window_json(all.last_minute)},
          {"last_five_minutes", window_json(all.last_five_minutes)},
          {"errors", errors_json(all.by_error)},
          {"latency_ms", latency_json(all)}};
}

json client_listener_json(const client_listener_snapshot& listener) {
  json operations = json::array();
  for (const auto& each : listener.operations)
    operations.push_back({{"operation", each.operation},
                          {"identity", to_string(each.identity)},
                          {"result", to_string(each.ended)},
                          {"count", each.count}});
  return {{"address", listener.address},
          {"clients", listener.clients},
          {"accepted", listener.accepted},
          {"turned_away", listener.turned_away},
          {"operations", std::move(operations)}};
}

json client_json(const client_snapshot& client) {
  return {{"address", client.address},
          {"listener", client.listener},
          {"identity", to_string(client.identity)},
          {"pending", client.pending},
          {"parked", client.parked},
          {"operations", client.operations},
          {"age_ms", in_milliseconds(client.age)}};
}

json node_client_json(const node_client_snapshot& client) {
  return {{"name", client.name},
          {"address", client.address},
          {"permission", client.permission},
          {"received_bytes", client.received},
          {"sent_bytes", client.sent},
          {"since", when_json(client.since)}};
}

json steps_json(const std::vector<probe_step>& all) {
  json steps = json::array();
  for (const auto& step : all)
    steps.push_back({{"step", to_string(step.what)}, {"ok", step.ok}, {"milliseconds", in_milliseconds(step.took)}});
  return steps;
}

json check_json(const check_snapshot& check) {
  if (!check.at) return nullptr;
  return {{"at", when_json(check.at)},
          {"ok", check.ok},
          {"milliseconds", in_milliseconds(check.took)},
          {"steps", steps_json(check.steps)},
          {"error", check.error.empty() ? json(nullptr) : json(check.error)}};
}

std::string in_one_line(const json& tree) { return tree.dump(-1, ' ', true, json::error_handler_t::replace); }

json server_json(const server_snapshot& s, const runtime_snapshot& all) {
  return {{"host", s.host},
          {"port", s.port},
          {"priority", s.priority},
          {"role", s.global_catalog ? "global_catalog"
                   : s.read_only    ? "read_only"
                                    : "read_write"},
          {"state", state_name(s)},
          {"usable", internal::is_usable(s, all)},
          {"serving", internal::is_serving(s, all)},
          {"warning", s.warning.empty() ? json(nullptr) : json(s.warning)},
          {"breaker", to_string(s.breaker)},
          {"last_error", s.last_error.empty() ? json(nullptr) : json(s.last_error)},
          {"last_error_at", s.last_error_at ? json(utc(*s.last_error_at)) : json(nullptr)},
          {"retry_after_ms", s.retry_after ? json(s.retry_after->count()) : json(nullptr)},
          {"latency_ms", in_milliseconds(s.latency)},
          {"breaker_opened", s.breaker_opened},
          {"last_check", check_json(s.last_check)},
          {"last_connect_check", check_json(s.last_connect_check)},
          {"budget", budget_json(s.budget)},
          {"pool", pool_json(s.pool)}};
}

}  // namespace

json to_json(const runtime_snapshot& state) {
  json servers = json::array();
  for (const auto& s : state.servers) servers.push_back(server_json(s, state));
  json peers = json::array();
  for (const auto& peer : state.peers) peers.push_back(peer_json(peer));
  const auto level = internal::serving_priority(state);
  json listeners = json::array(), clients = json::array(), node_clients = json::array();
  for (const auto& listener : state.client_listeners) listeners.push_back(client_listener_json(listener));
  for (const auto& client : state.clients) clients.push_back(client_json(client));
  for (const auto& client : state.node_clients) node_clients.push_back(node_client_json(client));
  return {{"servers", std::move(servers)},
          {"peers", std::move(peers)},
          {"client_listeners", std::move(listeners)},
          {"clients", std::move(clients)},
          {"node_clients", std::move(node_clients)},
          {"more_node_clients", state.more_node_clients},
          {"active_priority", level ? json(*level) : json(nullptr)},
          {"credentials_refused", state.credentials_refused},
          {"operations", operations_json(state.operations)},
          {"requests_in_flight", state.requests_in_flight},
          {"protocol_errors", state.protocol_errors}};
}

json to_json(const runtime_event& event) {
  json details = json::object();
  for (const auto& [key, value] : event.details) details[key] = value;
  return {{"number", event.number},
          {"at", utc(event.at)},
          {"kind", to_string(event.kind)},
          {"severity", to_string(event.severity)},
          {"text", event.text},
          {"details", std::move(details)}};
}

std::string state_json(const runtime_snapshot& state) { return in_one_line(to_json(state)); }
std::string state_json(const runtime_event& event) { return in_one_line(to_json(event)); }

json to_json(const probe_report& probe) {
  return {{"ok", probe.ok},
          {"milliseconds", in_milliseconds(probe.took)},
          {"steps", steps_json(probe.steps)},
          {"error", probe.error ? json(describe(*probe.error)) : json(nullptr)}};
}

}  // namespace understudy
