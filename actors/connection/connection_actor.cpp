// Spawning connections.
#include "understudy/actors/connection/connection_actor.hpp"

#include "understudy/actors/connection/connection.hpp"
#include "understudy/actors/ports/guard.hpp"
#include "understudy/actors/ports/poller_actor.hpp"

namespace understudy::internal {
namespace {

connection_actor::behavior_type connection_behavior(connection::self_pointer self, connection_spec spec,
                                                    std::shared_ptr<shared_by_connections> shared) {
  install_default_handlers(*self);
  self->state.it = std::make_unique<connection>(self, std::move(spec), std::move(shared));
  return self->state.it->make_behavior();
}

}  // namespace

connection_actor spawn_connection(caf::actor_system& system, connection_spec spec,
                                  std::shared_ptr<shared_by_connections> shared) {
  auto poller = spec.context->env->poller;
  return spawn_on_poller(system, std::move(poller), connection_behavior, std::move(spec), std::move(shared));
}

connection_factory make_connection_factory() {
  return [shared = std::make_shared<shared_by_connections>()](caf::actor_system& system, connection_spec spec) {
    return spawn_connection(system, std::move(spec), shared);
  };
}

}  // namespace understudy::internal
