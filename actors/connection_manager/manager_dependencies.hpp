// What the root supervisor is made of: how its children are started and how secrets are read. Tests bring their own.
#pragma once
#include "understudy/actors/connection_manager/bind_lockout_guard.hpp"
#include "understudy/actors/ports/ports.hpp"

namespace understudy::internal {

/// Reads a server's secret from its source (file, command or callback); runs on a worker, may block for about that
/// long while it is `wanted`, must not throw.
using secret_reader =
    std::function<secret_reading(const connection_info&, milliseconds patience, const still_wanted& wanted)>;

/// How children are started. Addresses are weak: the manager holds its children, not they the manager.
struct manager_dependencies {
  std::function<circuit_breaker_actor(caf::actor_system&)> breaker;
  std::function<pool_actor(caf::actor_system&, server_context_ptr, const caf::actor_addr& breaker,
                           const caf::actor_addr& manager)>
      pool;
  std::function<health_monitor_actor(caf::actor_system&, const std::vector<routed_server>&,
                                     const caf::actor_addr& breaker, const caf::actor_addr& manager)>
      monitor;
  secret_reader read_secret;
};

/// The real ones.
manager_dependencies make_manager_dependencies(settings_ptr all, environment_ptr env, connection_factory connect);

}  // namespace understudy::internal
