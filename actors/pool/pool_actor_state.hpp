// The pool actor's inside: promises, handles and timers around the pure pool_state.
#pragma once
#include "understudy/actors/pool/pool_state.hpp"
#include "understudy/actors/ports/guard.hpp"
#include "understudy/actors/ports/ports.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace understudy {

/// Translates messages to events of pool_state, and its actions to messages.
struct pool_actor_state {
  static inline const char* name = "understudy.pool";

  explicit pool_actor_state(pool_actor::stateful_pointer<pool_actor_state> owner) : self(owner) {}
  ~pool_actor_state();

  pool_actor::behavior_type start(server_context_ptr server, connection_factory make, caf::actor_addr to_breaker,
                                  caf::actor_addr to_gate);

 private:
  /// An operation that waits for a connection.
  struct waiting_call {
    caf::typed_response_promise<result_ptr> promise;
    call what;
  };
  /// A lease that waits for a connection.
  struct waiting_lease {
    caf::typed_response_promise<lease_grant> promise;
    lease_request what;
    caf::actor_addr holder;
  };
  using waiting = std::variant<waiting_call, waiting_lease>;
  /// One validation of all connections.
  struct check_round;

  // Messages (pool_actor.cpp).
  pool_actor::behavior_type make_behavior();
  caf::result<result_ptr> perform(call& c);
  caf::result<lease_grant> lease_one(lease_request& wish);
  caf::result<bool> release(lease_id id);
  void cancel(const cancel_token_ptr& token);
  void on_event(const connection_event& event);
  void on_down(const caf::actor_addr& who);
  caf::result<pool_health> check_all(time_point deadline);
  caf::result<bool> when_drained();
  void reload(server_context_ptr next);
  void tick(std::uint64_t timer);
  void restart();

  // Actions (pool_actor_actions.cpp).
  void carry_out();
  void operator()(const pool_action::open& a);
  void operator()(const pool_action::dispatch& a);
  void operator()(const pool_action::grant& a);
  void operator()(const pool_action::refuse& a);
  void operator()(const pool_action::recast& a);
  void operator()(const pool_action::reset& a);
  void operator()(const pool_action::drain& a);
  void operator()(const pool_action::close& a);
  void operator()(const pool_action::forget& a);
  void operator()(const pool_action::check& a);
  void operator()(const pool_action::unwatch& a);
  void operator()(const pool_action::report& a);
  void operator()(const pool_action::readiness& a);
  void operator()(const pool_action::ask_for_probe_slot& a);
  void operator()(const pool_action::note& a);
  void operator()(const pool_action::drained& a);
  friend struct action_visitor;

  void watch(lease_id lease, const caf::actor_addr& holder);
  void settle(waiting& w, const failure_ptr& why);
  template <class Waiting, class Atom>
  void send_back(Waiting& w, Atom what, const pool_action::recast& a);
  void give_permit_back(bool trial, std::uint32_t generation);
  std::optional<waiting> take(waiter_id waiter);
  void arm();
  pool_state make_pool() const;
  time_point now() const { return context->env->clock->now(); }
  /// Nothing when that connection has left.
  template <class... Ts>
  void tell(connection_id id, const Ts&... what) {
    const auto found = connections.find(id);
    if (found != connections.end()) self->send(found->second, what...);
  }

  pool_actor::stateful_pointer<pool_actor_state> self;
  server_context_ptr context;
  connection_factory factory;
  caf::actor_addr breaker, gate;
  caf::actor_addr monitor;  ///< whoever asked for a probe's socket last
  std::optional<pool_state> pool;
  std::optional<handler_guard> guard;
  std::map<waiter_id, waiting> waiters;
  std::unordered_map<connection_id, connection_actor> connections;
  std::map<caf::actor_addr, connection_id> connection_of;
  std::map<lease_id, caf::actor_addr> holder_of;
  std::map<caf::actor_addr, std::set<lease_id>> held_by;
  std::vector<caf::typed_response_promise<bool>> drains;
  poller_port::timer_id timer = 0;
  time_point armed = time_point::max();
};

}  // namespace understudy
