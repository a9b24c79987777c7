// One client of the HTTP endpoint: its socket and its session.
#pragma once
#include "understudy/actors/connection/byte_stream.hpp"
#include "understudy/actors/http/http_session.hpp"
#include "understudy/actors/http/state_actor.hpp"
#include "understudy/actors/ports/ports.hpp"
#include "understudy/actors/ports/repeat_limiter.hpp"

#include <caf/replies_to.hpp>

namespace understudy::internal {

/// What its connection is made of. `kept` goes with it: the descriptor, its place at the listener.
struct http_connection {
  int fd = -1;
  std::unique_ptr<byte_stream> stream;  ///< over it
  std::shared_ptr<void> kept;
  std::string address;  ///< for people
};

/// What a page is made of: the state, or why it could not be had.
using page_renderer =
    std::function<http_response(const page_wish& page, const runtime_snapshot* state, const failure_ptr& why)>;

/// What a client's actor needs of others. All functions are called on the poller's thread and must not wait.
struct http_dependencies {
  environment_ptr env;
  connection_manager_actor manager;  ///< of orders
  http_state_actor state;            ///< of the same manager
  http_rules_ptr rules;
  std::function<void(runtime_snapshot& state)> complete;  ///< adds what the manager does not know
  page_renderer render;
  /// Events after number `after`, as a stream has them, with or without details; moves `after` to the last of them.
  std::function<std::string(std::uint64_t& after, bool details)> events;
  ///@{
  /// Begins it; why it cannot be begun, or null.
  std::function<failure_ptr()> reload, drain;
  ///@}
  /// Of the lines about refused orders; shared by all clients.
  std::shared_ptr<repeat_limiter> refusals = std::make_shared<repeat_limiter>(seconds{60});
  /// Told once, at the end, on the thread that it runs on.
  std::function<void()> on_end = {};
  /// Set while the client is owed something: others go first when there are too many.
  std::shared_ptr<std::atomic<bool>> busy = std::make_shared<std::atomic<bool>>(false);
};

/// Runs on the poller's thread. Ends with its client; its maker holds it until then.
using http_actor = caf::typed_actor<
    // From the poller: that registration may read (1) and/or write (2).
    caf::reacts_to<io_atom, std::uint64_t, std::uint32_t>, caf::reacts_to<tick_atom, std::uint64_t>,
    // To itself: write what this turn gathered.
    caf::reacts_to<flush_atom>,
    // End now.
    caf::reacts_to<close_atom>>;

http_actor spawn_http_client(caf::actor_system& system, http_dependencies with,
                             std::shared_ptr<http_connection> connection);

}  // namespace understudy::internal
