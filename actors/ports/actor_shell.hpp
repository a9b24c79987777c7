// The shell of an actor: what CAF needs around the class that handles its messages.
#pragma once
#include "understudy/actors/ports/guard.hpp"
#include "understudy/actors/ports/poller_actor.hpp"

#include <caf/stateful_actor.hpp>

#include <memory>
#include <utility>

namespace understudy::internal {

/// CAF makes an actor's state with nothing but `self`; the rest comes with the behaviour. An `Impl` has a `name`, by
/// which CAF knows the actor, is made of `(Interface::pointer self, xs…)`, and gives its handlers by make_behavior().
/// Hidden, and by that whatever is instantiated with it: templates of ours that are public (spawn_on_poller()) would
/// bring our actors into the shared library's symbols.
template <class Interface, class Impl>
struct [[gnu::visibility("hidden")]] actor_shell {
  static inline const char* name = Impl::name;
  explicit actor_shell(typename Interface::pointer) {}
  std::unique_ptr<Impl> impl;
};

/// What CAF runs first in such an actor.
template <class Interface, class Impl, class... Ts>
typename Interface::behavior_type run_shell(
    typename Interface::template stateful_pointer<actor_shell<Interface, Impl>> self, Ts... xs) {
  install_default_handlers(*self);
  self->state.impl = std::make_unique<Impl>(self, std::move(xs)...);
  return self->state.impl->make_behavior();
}

/// Starts one on CAF's scheduler.
template <class Interface, class Impl, class... Ts>
Interface spawn_shell(caf::actor_system& system, Ts... xs) {
  return system.spawn(run_shell<Interface, Impl, Ts...>, std::move(xs)...);
}

/// Starts one that the poller's thread runs: see spawn_on_poller().
template <class Interface, class Impl, class... Ts>
Interface spawn_shell_on_poller(caf::actor_system& system, std::shared_ptr<poller_port> poller, Ts... xs) {
  return spawn_on_poller(system, std::move(poller), run_shell<Interface, Impl, Ts...>, std::move(xs)...);
}

}  // namespace understudy::internal
