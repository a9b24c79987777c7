// The state for all clients of the HTTP endpoint.
#pragma once
#include "understudy/actors/ports/ports.hpp"

#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

namespace understudy::internal {

/// Gathers the state: what of a manager is needed for that.
using state_source_actor = caf::typed_actor<caf::replies_to<status_atom>::with<runtime_snapshot>>;

using http_state_actor = caf::typed_actor<
    // The state, at most state_sharing::span old.
    caf::replies_to<status_atom>::with<runtime_snapshot>,
    // An order was carried out: who asks from now on sees what came of it.
    caf::reacts_to<reset_atom>,
    // End now.
    caf::reacts_to<close_atom>>;

/// How long `source` has for an answer.
inline constexpr seconds state_patience{2};

http_state_actor spawn_http_state(caf::actor_system& system, environment_ptr env, state_source_actor source);

}  // namespace understudy::internal
