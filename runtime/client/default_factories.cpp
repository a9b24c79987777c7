// The actors that a runtime is made of: see default_factories.hpp.
#include "understudy/runtime/client/default_factories.hpp"

#include "understudy/actors/connection/connection_actor.hpp"
#include "understudy/actors/connection_manager/connection_manager_actor.hpp"

namespace understudy::internal {

connection_factory default_connections() { return make_connection_factory(); }

manager_factory default_manager() {
  return [](caf::actor_system& system, settings_ptr all, environment_ptr env, connection_factory connections) {
    return spawn_connection_manager(system, std::move(all), std::move(env), std::move(connections));
  };
}

}  // namespace understudy::internal
