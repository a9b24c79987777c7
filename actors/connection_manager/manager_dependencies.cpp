// The children of a real runtime.
#include "understudy/actors/connection_manager/manager_dependencies.hpp"

#include "understudy/actors/circuit_breaker/circuit_breaker_actor.hpp"
#include "understudy/actors/health_monitor/health_monitor_actor.hpp"
#include "understudy/actors/pool/pool_actor.hpp"

namespace understudy::internal {

manager_dependencies make_manager_dependencies(settings_ptr all, environment_ptr env, connection_factory connect) {
  manager_dependencies parts;
  parts.breaker = [all, env](caf::actor_system& system) { return spawn_circuit_breaker(system, env, all); };
  parts.pool = [connect](caf::actor_system& system, server_context_ptr context, const caf::actor_addr& breaker,
                         const caf::actor_addr& manager) {
    return spawn_pool(system, std::move(context), connect, breaker, manager);
  };
  parts.monitor = [all = std::move(all), env = std::move(env), connect = std::move(connect)](
                      caf::actor_system& system, const std::vector<routed_server>& servers,
                      const caf::actor_addr& breaker, const caf::actor_addr& manager) {
    return spawn_health_monitor(system, env, all, servers, connect, breaker, manager);
  };
  parts.read_secret = read_secret;
  return parts;
}

}  // namespace understudy::internal
