// One lock around what a node knows of its cluster.
#include "understudy/actors/node/node_cluster.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/messages/text.hpp"

namespace understudy::internal {
namespace {

/// What a node refuses is told again each second; so long after its time it is told no more for certain.
constexpr seconds remembered_longer{20};

}  // namespace

node_cluster::node_cluster(peers_options options, std::shared_ptr<clock_port> clock)
    : clock_(std::move(clock)), state_(std::move(options), clock_->now()) {}

std::shared_ptr<socket_permits> node_cluster::permits(const std::string& server) {
  const std::lock_guard lock{mutex_};
  auto of_server = state_.permits(server, clock_->now());
  // Before a pool knows them: they are not asked while they are changed.
  if (of_server && watched_.insert(server).second)
    of_server->set_on_shortage([alive = weak_from_this()] {
      if (const auto self = alive.lock()) self->call_peers();
    });
  return of_server;
}

void node_cluster::call_peers() {
  std::function<void()> call;
  {
    const std::lock_guard lock{mutex_};
    call = on_shortage_;
  }
  if (call) call();
}

void node_cluster::set_on_shortage(std::function<void()> call) {
  const std::lock_guard lock{mutex_};
  on_shortage_ = std::move(call);
}

void node_cluster::set_refused(std::vector<refused_secret> here) {
  {
    const std::lock_guard lock{mutex_};
    state_.set_refused(std::move(here));
  }
  call_peers();
}

void node_cluster::tell_refused(std::function<void(std::vector<refused_secret> elsewhere)> tell) {
  const std::lock_guard lock{mutex_};
  tell_ = std::move(tell);
  if (elsewhere_ && tell_) tell_(*elsewhere_);
}

void node_cluster::set_standing(secrets_standing now) {
  {
    const std::lock_guard lock{mutex_};
    state_.set_standing(now);
  }
  // Who waits for a decision is told at once; the others hear the rest of it each second.
  if (now == secrets_standing::decided) call_peers();
}

void node_cluster::pass_on(std::vector<refused_secret> elsewhere) {
  const std::lock_guard lock{mutex_};
  elsewhere_ = std::move(elsewhere);
  if (tell_) tell_(*elsewhere_);
}

budget_snapshot node_cluster::budget(const std::string& server) {
  const std::lock_guard lock{mutex_};
  return state_.budget(server);
}

std::vector<peer_snapshot> node_cluster::peers() {
  const std::lock_guard lock{mutex_};
  return state_.snapshot();
}

std::vector<configured_peer> peers_of(const node_settings& node) {
  std::vector<configured_peer> all;
  for (const auto& each : node.peers) {
    std::string ignored;
    if (auto place = config::parse_node_address(each, ignored))
      all.push_back({ascii_lower(place->host), std::move(place->host), place->port});
  }
  return all;
}

std::shared_ptr<node_cluster> make_cluster(const settings& all, std::shared_ptr<clock_port> clock,
                                           std::uint64_t incarnation) {
  if (all.node.peers.empty() && all.node.budget == 0) return nullptr;
  peers_options options;
  options.self = ascii_lower(all.node.name);
  for (auto& peer : peers_of(all.node)) options.peers.push_back(std::move(peer.name));
  options.budget = static_cast<std::uint32_t>(all.node.budget);
  options.incarnation = incarnation;
  options.suspect_after = all.breaker.suspect_after;
  options.refusals_last = all.recovery.credential_retry + remembered_longer;
  return std::make_shared<node_cluster>(std::move(options), std::move(clock));
}

}  // namespace understudy::internal
