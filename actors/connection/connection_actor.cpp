// Spawning connections.
#include "understudy/actors/connection/connection_actor.hpp"

#include "understudy/actors/connection/connection.hpp"
#include "understudy/actors/ports/guard.hpp"
#include "understudy/actors/ports/hosted.hpp"

namespace understudy {
namespace {

connection_actor::behavior_type connection_behavior(connection::self_pointer self, connection_spec spec,
                                                    std::shared_ptr<tls_contexts> contexts) {
  be_quiet(*self);
  self->state.it = std::make_unique<connection>(self, std::move(spec), std::move(contexts));
  return self->state.it->make_behavior();
}

}  // namespace

connection_actor spawn_connection(caf::actor_system& system, connection_spec spec,
                                  std::shared_ptr<tls_contexts> contexts) {
  auto poller = spec.context->env->poller;
  return spawn_hosted(system, std::move(poller), connection_behavior, std::move(spec), std::move(contexts));
}

connection_factory make_connection_factory() {
  return [contexts = std::make_shared<tls_contexts>()](caf::actor_system& system, connection_spec spec) {
    return spawn_connection(system, std::move(spec), contexts);
  };
}

}  // namespace understudy
