// One client of a front door: its socket, its session, and what it has under way.
#pragma once
#include "understudy/actors/connection/byte_stream.hpp"
#include "understudy/actors/front_door/client_registry.hpp"
#include "understudy/actors/front_door/client_session.hpp"
#include "understudy/actors/front_door/held_connections.hpp"
#include "understudy/actors/front_door/partial_messages.hpp"
#include "understudy/actors/ports/ports.hpp"
#include "understudy/actors/ports/request_permits.hpp"

#include <caf/replies_to.hpp>

namespace understudy::internal {

/// What the client's connection is made of. `kept` goes with it: the descriptor, its place at the listener.
struct client_connection {
  int fd = -1;
  std::unique_ptr<byte_stream> stream;  ///< over it
  std::shared_ptr<void> kept;
  std::string address;  ///< for people
  client_origin origin;
  std::shared_ptr<client_record> record = {};  ///< what others know of it; null: nothing
};

/// What a client's actor needs of others.
struct client_dependencies {
  environment_ptr env;
  circuit_breaker_actor router;
  connection_manager_actor manager;
  client_rules_ptr rules;
  std::shared_ptr<bind_limiter> limiter;
  ///@{
  /// Null: this client shares none with others.
  std::shared_ptr<proxied_authorization_offer> offer = {};
  std::shared_ptr<client_holdings> holdings = {};
  std::shared_ptr<partial_messages> partial = {};
  ///@}
  std::shared_ptr<request_permits> permits = {};  ///< null: nobody counts
  /// The server's side of TLS over that descriptor, which stays the client's; empty: StartTLS is not offered.
  std::function<std::unique_ptr<byte_stream>(int fd)> secure = {};
  /// Told once, at the end, on the thread that it runs on.
  std::function<void()> on_end = {};
};

/// Runs on the poller's thread. Ends with its client; its maker holds it until then.
using client_actor = caf::typed_actor<
    // As relay_reader_actor has it.
    caf::reacts_to<batch_atom, std::uint64_t, relayed_part>,
    // From the poller: that registration may read (1) and/or write (2).
    caf::reacts_to<io_atom, std::uint64_t, std::uint32_t>, caf::reacts_to<tick_atom, std::uint64_t>,
    // To itself: write what this turn gathered, in one go.
    caf::reacts_to<flush_atom>,
    // Other rules from now on.
    caf::reacts_to<reload_atom, client_rules_ptr>,
    // Another client needs the connection that this one holds and does not use.
    caf::reacts_to<cleanup_atom>,
    // Take nothing new, finish what runs, then say goodbye.
    caf::reacts_to<drain_atom>,
    // End now.
    caf::reacts_to<close_atom>>;

client_actor spawn_client(caf::actor_system& system, client_dependencies with,
                          std::shared_ptr<client_connection> connection);

}  // namespace understudy::internal

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::internal::client_rules_ptr)
