// A directory on a runtime from which one mechanism has been taken, from outside: what a scenario that needs it must
// then show to be broken.
#pragma once
#include "understudy/runtime/directory.hpp"
#include "understudy/runtime/runtime.hpp"

#include <caf/mailbox_element.hpp>

namespace understudy::test {

/// What is missing.
enum class without : std::uint8_t {
  nothing,
  redispatch,          ///< connections give nothing back to the breaker
  safe_to_repeat,      ///< connections take everything for safe to repeat
  bind_lockout_guard,  ///< everybody gets the password, verdicts are not heard
  suspicion,           ///< the breaker does not hear of silent connections
  waiters_deadlines,   ///< pools wait for ever
  lease_monitor,       ///< pools do not learn who holds a lease
  generation_numbers,  ///< reports count for the breaker's present state, whichever state they come from
  damping,             ///< a server that flaps is trusted at once, every time
  make_before_break,   ///< no socket to spare for the connection that replaces another
};

/// Sees every message before the actor does: true when it has taken care of it, which the actor then never sees.
using interception = std::function<bool(caf::mailbox_element& message, const caf::strong_actor_ptr& behind)>;

/// An address in front of `behind` (may be null): what `take` leaves goes on to it, answers go straight back, and it
/// ends when `behind` does.
caf::strong_actor_ptr interpose(caf::actor_system& system, caf::strong_actor_ptr behind, interception take);

/// Actors that nobody but the test holds; they end with it.
class prop_room {
 public:
  ~prop_room();
  void keep(caf::strong_actor_ptr actor);

 private:
  std::mutex guard_;
  std::vector<caf::strong_actor_ptr> actors_;
};

/// Thread-safe, as every directory.
class weakened_directory final : public directory {
 public:
  explicit weakened_directory(settings all, without missing = without::nothing);
  ~weakened_directory() override;

  outcome perform(request_ptr request, const call_options& options = {}) override;
  void start(request_ptr request, completion done, const call_options& options = {}, executor where = {}) override;

  runtime& stage() { return *stage_; }
  /// The server with that number now.
  server_snapshot server(server_id id) const;

 private:
  std::shared_ptr<prop_room> props_ = std::make_shared<prop_room>();
  std::unique_ptr<runtime> stage_;
};

}  // namespace understudy::test
