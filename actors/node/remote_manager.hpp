// The manager of a client of nodes: what is supervised there, is known here by asking.
#pragma once
#include "understudy/actors/node/remote_router.hpp"

namespace understudy::internal {

/// In the place of the connection manager of a runtime (runtime_options::manager).
connection_manager_actor spawn_remote_manager(caf::actor_system& system, settings_ptr all, environment_ptr env,
                                              node_connecting connecting);

}  // namespace understudy::internal
