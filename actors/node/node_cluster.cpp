// One lock around what a node knows of its cluster.
#include "understudy/actors/node/node_cluster.hpp"

namespace understudy::internal {

node_cluster::node_cluster(peers_options options, std::shared_ptr<clock_port> clock)
    : clock_(std::move(clock)), state_(std::move(options), clock_->now()) {}

std::shared_ptr<socket_permits> node_cluster::permits(const std::string& server) {
  const std::lock_guard lock{mutex_};
  auto of_server = state_.permits(server, clock_->now());
  // Before a pool knows them: they are not asked while they are changed.
  if (of_server && watched_.insert(server).second)
    of_server->set_on_shortage([alive = weak_from_this()] {
      if (const auto self = alive.lock()) self->short_of_sockets();
    });
  return of_server;
}

void node_cluster::short_of_sockets() {
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
  const std::lock_guard lock{mutex_};
  state_.set_refused(std::move(here));
}

void node_cluster::tell_refused(std::function<void(std::vector<refused_secret> elsewhere)> tell) {
  const std::lock_guard lock{mutex_};
  tell_ = std::move(tell);
  if (!elsewhere_.empty() && tell_) tell_(elsewhere_);
}

void node_cluster::pass_on(std::vector<refused_secret> elsewhere) {
  const std::lock_guard lock{mutex_};
  elsewhere_ = std::move(elsewhere);
  if (tell_) tell_(elsewhere_);
}

budget_snapshot node_cluster::budget(const std::string& server) {
  const std::lock_guard lock{mutex_};
  return state_.budget(server);
}

std::vector<peer_snapshot> node_cluster::peers() {
  const std::lock_guard lock{mutex_};
  return state_.snapshot();
}

}  // namespace understudy::internal
