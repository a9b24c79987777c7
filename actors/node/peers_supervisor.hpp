// Keeps an actor that speaks with the other nodes of a cluster: another takes its place when it has ended.
#pragma once
#include "understudy/actors/node/peers_actor.hpp"

#include <functional>
#include <memory>

namespace understudy::internal {

/// The cluster's state is not the actor's, so a successor goes on where it ended: what was lent counts, refusals are
/// remembered, links are dialled again. Thread-safe.
class peers_supervisor {
 public:
  /// `given_up`: told once, when one has ended too often within a minute (restart_budget) and nobody takes its place
  /// any more. On any thread; must be quick and not throw.
  peers_supervisor(caf::actor_system& system, peers_dependencies from, std::function<void()> given_up);
  /// Orders the actor to end, and does not wait.
  ~peers_supervisor();
  peers_supervisor(const peers_supervisor&) = delete;
  peers_supervisor& operator=(const peers_supervisor&) = delete;

  /// Null: it has been ended, or given up.
  peers_actor current() const;
  /// Ends it and its links; false when it has not ended within `limit`.
  bool end(duration limit);

 private:
  class keeper;
  std::shared_ptr<keeper> keeper_;
};

}  // namespace understudy::internal
