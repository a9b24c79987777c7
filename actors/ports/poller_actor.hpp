// Actors that run where their messages mostly come from: on the poller's thread.
#pragma once
#include "understudy/actors/ports/ports.hpp"

#include <caf/actor_system.hpp>
#include <caf/detail/init_fun_factory.hpp>
#include <caf/execution_unit.hpp>
#include <caf/infer_handle.hpp>
#include <caf/mailbox_element.hpp>

namespace understudy {

/// An actor implementation that the poller runs, if it runs any (poller_port::unit()), else CAF's scheduler. A request
/// then goes from readiness to its answer without waking a thread.
template <class Implementation>
class poller_actor final : public Implementation {
 public:
  /// Made by spawn_on_poller().
  poller_actor(caf::actor_config& config, std::shared_ptr<poller_port> poller)
      : Implementation(config), poller_(std::move(poller)) {}

  using caf::abstract_actor::enqueue;
  /// Has the poller run it.
  void enqueue(caf::mailbox_element_ptr message, caf::execution_unit* sender_unit) override {
    auto* unit = poller_->unit();
    Implementation::enqueue(std::move(message), unit != nullptr ? unit : sender_unit);
  }

 private:
  std::shared_ptr<poller_port> poller_;
};

/// Like system.spawn(f, xs…), for an actor that never blocks and takes no longer than some microseconds a message:
/// while it runs, no connection of this runtime is served. A caller that keeps many requests in flight saves the
/// wake-up of a worker for each batch of answers this way; one that computes is better off on CAF's scheduler.
template <class F, class... Ts>
auto spawn_on_poller(caf::actor_system& system, std::shared_ptr<poller_port> poller, F f, Ts&&... xs) {
  using implementation = caf::infer_impl_from_fun_t<F>;
  caf::detail::init_fun_factory<implementation, F> factory;
  caf::actor_config config;
  config.init_fun = factory(std::move(f), std::forward<Ts>(xs)...);
  return system.spawn_class<poller_actor<implementation>, caf::no_spawn_options>(config, std::move(poller));
}

}  // namespace understudy
