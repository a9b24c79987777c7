// Snapshots and probe reports as JSON.
#include "understudy/tools/state_json.hpp"

#include <nlohmann/json.hpp>

namespace understudy::cli {
namespace {

using nlohmann::json;

double milliseconds_of(duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

json pool_json(const pool_snapshot& pool) {
  return {{"size", pool.now.size},
          {"idle", pool.now.idle},
          {"in_use", pool.now.in_use},
          {"in_flight", pool.now.in_flight},
          {"waiters", pool.now.waiters},
          {"longest_wait_ms", milliseconds_of(pool.longest_wait)},
          {"connecting", pool.now.connecting},
          {"min_connections", pool.min_connections},
          {"max_connections", pool.max_connections},
          {"leased", pool.leased},
          {"acquired", pool.acquired},
          {"released", pool.released},
          {"connect_failures", pool.connect_failures},
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
          {"last_error", peer.last_error.empty() ? json(nullptr) : json(peer.last_error)},
          {"last_error_at", when_json(peer.last_error_at)}};
}

json server_json(const server_snapshot& s) {
  return {{"host", s.host},
          {"port", s.port},
          {"priority", s.priority},
          {"role", s.read_only ? "read_only" : "read_write"},
          {"state", state_name(s)},
          {"warning", s.warning.empty() ? json(nullptr) : json(s.warning)},
          {"breaker", to_string(s.breaker)},
          {"last_error", s.last_error.empty() ? json(nullptr) : json(s.last_error)},
          {"last_error_at", s.last_error_at ? json(utc(*s.last_error_at)) : json(nullptr)},
          {"retry_after_ms", s.retry_after ? json(s.retry_after->count()) : json(nullptr)},
          {"latency_ms", milliseconds_of(s.latency)},
          {"breaker_opened", s.breaker_opened},
          {"budget", budget_json(s.budget)},
          {"pool", pool_json(s.pool)}};
}

}  // namespace

json to_json(const runtime_snapshot& state) {
  json servers = json::array();
  for (const auto& s : state.servers) servers.push_back(server_json(s));
  json peers = json::array();
  for (const auto& peer : state.peers) peers.push_back(peer_json(peer));
  return {{"servers", std::move(servers)},
          {"peers", std::move(peers)},
          {"active_priority", state.active_priority ? json(*state.active_priority) : json(nullptr)},
          {"credentials_refused", state.credentials_refused}};
}

json to_json(const probe_report& probe) {
  json steps = json::array();
  for (const auto& step : probe.steps)
    steps.push_back({{"step", to_string(step.what)}, {"ok", step.ok}, {"milliseconds", milliseconds_of(step.took)}});
  return {{"ok", probe.ok},
          {"milliseconds", milliseconds_of(probe.took)},
          {"steps", std::move(steps)},
          {"error", probe.error ? json(describe(*probe.error)) : json(nullptr)}};
}

}  // namespace understudy::cli
