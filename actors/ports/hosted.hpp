// The earlier names of what is in poller_actor.hpp, for services that use them.
#pragma once
#include "understudy/actors/ports/poller_actor.hpp"

namespace understudy {

/// poller_actor.
template <class Implementation>
using hosted = poller_actor<Implementation>;

/// spawn_on_poller().
template <class F, class... Ts>
auto spawn_hosted(caf::actor_system& system, std::shared_ptr<poller_port> poller, F f, Ts&&... xs) {
  return spawn_on_poller(system, std::move(poller), std::move(f), std::forward<Ts>(xs)...);
}

}  // namespace understudy
