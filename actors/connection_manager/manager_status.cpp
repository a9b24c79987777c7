// Gathers the state of breaker and pools; a child that does not answer in time is left out, nobody waits for it.
#include "understudy/actors/connection_manager/connection_manager_actor.hpp"
#include "understudy/actors/metrics/registry.hpp"

#include <algorithm>

namespace understudy {
namespace {

constexpr milliseconds patience{500};

/// One gathering: filled by the children's answers, told when the last of them is in.
struct gathering {
  caf::typed_response_promise<runtime_snapshot> answer;
  std::vector<server_snapshot> routed;   // from the breaker
  std::vector<server_snapshot> servers;  // from the table, with the pools' counters
  bool credentials_refused = false;
  std::size_t missing = 0;
};

/// A server as the table knows it, for when the breaker does not answer.
server_snapshot known_of(const server_context& context) {
  server_snapshot s;
  s.id = context.id;
  s.host = context.server.host;
  s.port = context.server.port;
  s.priority = context.server.priority;
  s.read_only = context.server.role == server_role::read_only;
  return s;
}

std::vector<server_snapshot> merged(gathering& g) {
  for (auto& server : g.servers) {
    const auto routed =
        std::find_if(g.routed.begin(), g.routed.end(), [&](const server_snapshot& r) { return r.id == server.id; });
    if (routed != g.routed.end()) {
      routed->pool = server.pool;
      routed->warning = server.warning;
      server = std::move(*routed);
    }
  }
  return std::move(g.servers);
}

std::optional<int> active_priority(const std::vector<server_snapshot>& servers) {
  std::optional<int> level;
  for (const auto& s : servers) {
    if (s.serving) {
      level = level ? std::min(*level, s.priority) : s.priority;
    }
  }
  return level;
}

void one_in(const std::shared_ptr<gathering>& g, const metrics_registry* metrics, time_point now) {
  if (--g->missing > 0) {
    return;
  }
  runtime_snapshot all;
  all.servers = merged(*g);
  all.active_priority = active_priority(all.servers);
  all.credentials_refused = g->credentials_refused;
  if (metrics != nullptr) {
    all.operations = metrics->totals(now);
    all.protocol_errors = metrics->protocol_errors();
  }
  g->answer.deliver(std::move(all));
}

}  // namespace

caf::result<runtime_snapshot> connection_manager_impl::status() {
  auto g = std::make_shared<gathering>();
  g->answer = self_->make_response_promise<runtime_snapshot>();
  g->credentials_refused = credentials_.any_refused();
  g->missing = servers_.size() + 1;
  for (const auto& server : servers_) {
    g->servers.push_back(known_of(*server.context));
    g->servers.back().warning = credentials_.warning(server.context->id);
  }
  const auto arrived = [this, g] { guard_.run([&] { one_in(g, env_->metrics.get(), env_->clock->now()); }); };
  self_->request(breaker_, patience, status_atom_v)
      .then(
          [g, arrived](std::vector<server_snapshot>& routed) {
            g->routed = std::move(routed);
            arrived();
          },
          [arrived](caf::error&) { arrived(); });
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    self_->request(servers_[i].pool, patience, status_atom_v)
        .then(
            [g, arrived, i](const pool_snapshot& pool) {
              g->servers[i].pool = pool;
              arrived();
            },
            [arrived](caf::error&) { arrived(); });
  }
  return g->answer;
}

}  // namespace understudy
