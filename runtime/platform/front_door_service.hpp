// What a runtime offers to LDAP clients: the listeners of the settings, and who came in there.
#pragma once
#include "understudy/actors/ports/ports.hpp"

#include <mutex>

namespace understudy::internal {

class bind_limiter;
class client_registry;
struct client_holdings;
class partial_messages;
class proxied_authorization_offer;
class request_permits;

/// Listens from its construction on, until drain() or close(). One thread at a time calls what changes it.
class front_door_service {
 public:
  struct dependencies {
    environment_ptr env;
    circuit_breaker_actor router;
    connection_manager_actor manager;
    std::shared_ptr<client_registry> registry;      ///< told of listeners and clients
    std::shared_ptr<request_permits> permits = {};  ///< of `limits.max_requests`; null: nobody counts
    /// Whether the directory offers proxied authorization; nothing: it could not be asked within a moment.
    std::function<std::optional<bool>()> offers_proxied_authorization = {};
  };
  /// Other settings, ready to count: everything that can fail has been done.
  class change;

  /// Throws listener_error.
  front_door_service(caf::actor_system& system, dependencies with, const settings& all);
  /// close(), for two seconds at most.
  ~front_door_service();
  front_door_service(const front_door_service&) = delete;
  front_door_service& operator=(const front_door_service&) = delete;

  /// Opens what is new in `next` and reads the certificates of what stays; nobody notices before apply(). Throws
  /// listener_error, and nothing has changed then. When the change is destroyed without apply(), neither.
  std::shared_ptr<change> prepare(const settings& next);
  /// Listeners that are gone close; at one that stays the rules count at once, for who is in as well; certificates and
  /// bounds count for who comes. Nobody is sent away.
  void apply(const std::shared_ptr<change>& prepared);
  /// Keys of `next` that take a restart.
  std::vector<std::string> needs_restart(const settings& next) const;

  /// Where clients come in, with the ports that the system chose. Thread-safe.
  std::vector<std::string> addresses() const;
  /// Clients that are in. Thread-safe.
  std::size_t clients() const;

  /// Nobody comes in any more; who is in gets the answers that are due, is told, and sent away.
  void drain();
  /// Waits until everybody has gone, for `limit`, then ends who is left. False when somebody was.
  bool close(duration limit);

 private:
  class guests;
  struct door;
  using door_ptr = std::shared_ptr<door>;

  door_ptr open(const settings& all, const client_listener_settings& listener);
  void say(std::string_view text, const door& at) const;
  void require_offer(const settings& next) const;

  caf::actor_system& system_;
  const dependencies with_;
  const std::shared_ptr<bind_limiter> limiter_;
  const std::shared_ptr<proxied_authorization_offer> offer_;
  const std::shared_ptr<client_holdings> holdings_;
  const std::shared_ptr<partial_messages> partial_;
  const std::shared_ptr<guests> guests_;
  mutable std::mutex mutex_;  ///< of what follows
  std::vector<door_ptr> doors_;
  bool draining_ = false;
};

}  // namespace understudy::internal
