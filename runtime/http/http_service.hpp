// What a runtime shows by HTTP: the listener of [http], and who came in there.
#pragma once
#include "understudy/actors/http/state_actor.hpp"
#include "understudy/actors/ports/ports.hpp"
#include "understudy/runtime/platform/event_history.hpp"

namespace understudy::internal {

class listener;
class http_pages;

/// Listens from its construction on, until close(). One thread at a time calls what changes it.
class http_service {
 public:
  /// Clients at once. When more come, those go that have been in longest and are owed nothing: who asks and goes is
  /// served, however many sit there.
  static constexpr std::size_t most_clients = 256;

  struct dependencies {
    environment_ptr env;
    connection_manager_actor manager;
    std::shared_ptr<const event_history> events;
    std::function<void(runtime_snapshot& state)> complete;  ///< adds what the manager does not know; must not wait
    ///@{
    /// Begins it; why it cannot be begun, or null; must not wait. Empty: it is refused.
    std::function<failure_ptr()> reload = {}, drain = {};
    ///@}
  };

  /// Reads the token of orders, which may run a command. Throws listener_error.
  http_service(caf::actor_system& system, dependencies with, const settings& all);
  /// close(), at once.
  ~http_service();
  http_service(const http_service&) = delete;
  http_service& operator=(const http_service&) = delete;

  /// Where it listens, with the port that the system chose.
  const std::string& address() const;
  /// Clients that are in. Thread-safe.
  std::size_t clients() const;

  /// What the settings are now, as far as it is shown; takes a thread that may wait for a disk.
  void configure(const settings& all);
  /// /readyz says no from now on; everything is shown as before.
  void drain();
  /// Nobody comes in any more, who is in is ended. False when somebody is left after `limit`.
  bool close(duration limit);

 private:
  class guests;

  const dependencies with_;
  const std::shared_ptr<http_pages> pages_;
  const std::shared_ptr<guests> guests_;
  http_state_actor state_;
  std::string address_;
  std::unique_ptr<listener> listener_;
};

}  // namespace understudy::internal
