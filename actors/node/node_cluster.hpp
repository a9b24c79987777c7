// What one node knows of its cluster, for everybody in its process.
#pragma once
#include "understudy/actors/node/peers_state.hpp"
#include "understudy/actors/ports/ports.hpp"
#include "understudy/config/settings.hpp"

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
  void set_standing(secrets_standing now) override;
  budget_snapshot budget(const std::string& server) override;
  std::vector<peer_snapshot> peers() override;

  /// Uses the state while nobody else does. Must be quick.
  template <class Use>
  auto with(Use use) {
    const std::lock_guard lock{mutex_};
    return use(state_);
  }
  /// The list of what is refused elsewhere, to whoever is told, who may come later. The first one says that the others
  /// have been heard.
  void pass_on(std::vector<refused_secret> elsewhere);
  /// Called when sockets are missing, and when others are to hear of a refusal; on any thread, must be quick and not
  /// throw. Empty: nobody is.
  void set_on_shortage(std::function<void()> call);

 private:
  void call_peers();

  const std::shared_ptr<clock_port> clock_;
  std::mutex mutex_;  // of everything below
  peers_state state_;
  std::set<std::string> watched_;  // servers whose permits tell of shortages
  std::function<void(std::vector<refused_secret>)> tell_;
  std::optional<std::vector<refused_secret>> elsewhere_;  // none: they have not been heard
  std::function<void()> on_shortage_;
};

/// Another node of a configuration.
struct configured_peer {
  std::string name;  ///< in lower case
  std::string host;
  std::uint16_t port = 0;
};
/// Those of `node.peers`, which has been checked.
std::vector<configured_peer> peers_of(const node_settings& node);

/// The cluster that the settings speak of; null: they speak of none. A later process of the same node has a higher
/// `incarnation`.
std::shared_ptr<node_cluster> make_cluster(const settings& all, std::shared_ptr<clock_port> clock,
                                           std::uint64_t incarnation);

}  // namespace understudy::internal
