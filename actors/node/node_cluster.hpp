// What one node knows of its cluster, for everybody in its process.
#pragma once
#include "understudy/actors/node/peers_state.hpp"
#include "understudy/actors/ports/ports.hpp"

#include <mutex>

namespace understudy::internal {

/// Thread-safe: pools take permits of it, the service's credentials come from it and go to it, the peers actor speaks
/// for it with other nodes. Without that actor it keeps to what is never lent.
class node_cluster final : public cluster_port, public std::enable_shared_from_this<node_cluster> {
 public:
  node_cluster(peers_options options, std::shared_ptr<clock_port> clock);

  std::shared_ptr<socket_permits> permits(const std::string& server) override;
  void set_refused(std::vector<refused_secret> here) override;
  void tell_refused(std::function<void(std::vector<refused_secret> elsewhere)> tell) override;
  budget_snapshot budget(const std::string& server) override;
  std::vector<peer_snapshot> peers() override;

  /// Uses the state while nobody else does. Must be quick.
  template <class Use>
  auto with(Use use) {
    const std::lock_guard lock{mutex_};
    return use(state_);
  }
  /// The list of what is refused elsewhere, to whoever is told.
  void pass_on(std::vector<refused_secret> elsewhere);
  /// Called when sockets are missing; on any thread, must be quick and not throw. Empty: nobody is.
  void set_on_shortage(std::function<void()> call);

 private:
  void short_of_sockets();

  const std::shared_ptr<clock_port> clock_;
  std::mutex mutex_;  // of everything below
  peers_state state_;
  std::set<std::string> watched_;  // servers whose permits tell of shortages
  std::function<void(std::vector<refused_secret>)> tell_;
  std::vector<refused_secret> elsewhere_;
  std::function<void()> on_shortage_;
};

}  // namespace understudy::internal
