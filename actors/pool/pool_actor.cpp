// The pool actor: messages in, answers out.
#include "understudy/actors/pool/pool_actor.hpp"
#include "understudy/actors/metrics/registry.hpp"
#include "understudy/actors/pool/pool_state.hpp"
#include "understudy/actors/ports/actor_timer.hpp"
#include "understudy/actors/ports/fast_delivery.hpp"
#include "understudy/actors/ports/guard.hpp"
#include "understudy/actors/ports/poller_actor.hpp"
#include "understudy/actors/ports/ports.hpp"
#include "understudy/config/reload.hpp"

#include <caf/actor_cast.hpp>
#include <caf/exit_reason.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/system_messages.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace understudy::internal {

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

  // Actions.
  void carry_out();
  void operator()(const pool_action::open& a);
  void operator()(const pool_action::dispatch& a);
  void operator()(const pool_action::grant& a);
  void operator()(const pool_action::refuse& a);
  void operator()(const pool_action::redispatch& a);
  void operator()(const pool_action::reset& a);
  void operator()(const pool_action::drain& a);
  void operator()(const pool_action::close& a);
  void operator()(const pool_action::forget& a);
  void operator()(const pool_action::check& a);
  void operator()(const pool_action::unwatch& a);
  void operator()(const pool_action::report& a);
  void operator()(const pool_action::lost_requests& a);
  void operator()(const pool_action::readiness& a);
  void operator()(const pool_action::ask_for_probe_slot& a);
  void operator()(const pool_action::note& a);
  void operator()(const pool_action::drained& a);
  friend struct action_visitor;

  void watch(lease_id lease, const caf::actor_addr& holder);
  void settle(waiting& w, const failure_ptr& why);
  template <class Waiting, class Atom>
  void send_back(Waiting& w, Atom what, const pool_action::redispatch& a);
  void give_permit_back(bool trial, std::uint32_t generation);
  std::optional<waiting> take(waiter_id waiter);
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
  std::optional<actor_timer> timer;
};

namespace {

acquire_request acquire_request_for(const call& c) {
  acquire_request who;
  who.what = std::holds_alternative<bind_request>(c.what->op) ? acquire_kind::bind : acquire_kind::shared;
  who.deadline = c.deadline;
  who.token = c.token;
  who.attempts = c.attempts;
  return who;
}

acquire_request acquire_request_for(const lease_request& wish) {
  acquire_request who;
  who.what = acquire_kind::lease;
  who.deadline = wish.deadline;
  who.token = wish.token;
  who.attempts = wish.attempts;
  who.may_wait = wish.wait;
  who.holder = wish.holder;
  return who;
}

pool_actor::behavior_type pool_behavior(pool_actor::stateful_pointer<pool_actor_state> self, server_context_ptr context,
                                        connection_factory factory, caf::actor_addr breaker, caf::actor_addr gate) {
  return self->state.start(std::move(context), std::move(factory), std::move(breaker), std::move(gate));
}

failure_ptr pool_ended(const std::string& server) {
  return make_failure(errc::stopped, stage::queue, "the pool of " + server + " has ended", server);
}

failure_ptr cannot_make_connection(const std::string& server) {
  return make_failure(errc::connection_failed, stage::connect, "a connection could not be set up in this process",
                      server);
}

}  // namespace

pool_actor spawn_pool(caf::actor_system& system, server_context_ptr context, connection_factory factory,
                      caf::actor_addr breaker, caf::actor_addr gate) {
  auto poller = context->env->poller;
  return spawn_on_poller(system, std::move(poller), pool_behavior, std::move(context), std::move(factory),
                         std::move(breaker), std::move(gate));
}

/// The counts of one validation, shared by its answers.
struct pool_actor_state::check_round {
  caf::typed_response_promise<pool_health> promise;
  pool_health found;
  std::size_t left = 0;

  void note(const probe_report& report) {
    ++(report.ok ? found.healthy_connections : found.unhealthy_connections);
    if (report.ok) ++found.answered;
    if (report.answers_others) ++found.answered_others;
    if (--left == 0) promise.deliver(found);
  }
};

pool_actor::behavior_type pool_actor_state::start(server_context_ptr server, connection_factory make,
                                                  caf::actor_addr to_breaker, caf::actor_addr to_gate) {
  context = std::move(server);
  factory = std::move(make);
  breaker = std::move(to_breaker);
  gate = std::move(to_gate);
  install_default_handlers(*self);
  self->set_down_handler(
      [this](caf::scheduled_actor*, caf::down_msg& down) { guard->run([&] { on_down(down.source); }); });
  guard.emplace(*self, context->env, "pool", [this] { restart(); });
  timer.emplace(context->env->poller, self->address());
  pool.emplace(make_pool());
  guard->run([this] {
    pool->start(now());
    carry_out();
  });
  return make_behavior();
}

pool_state pool_actor_state::make_pool() const {
  const auto env = context->env;
  pool_dependencies world{make_random(env->seed + context->id), [env] { return env->next_number(); },
                          [env] { return env->clock->wall_now(); },
                          [pace = context->pace] { return pace->patience(true); }};
  return pool_state{policy_of(*context->all, context->server, context->id, context->name), std::move(world), now()};
}

pool_actor::behavior_type pool_actor_state::make_behavior() {
  return {
      [this](perform_atom, call& c) { return guard->answer<result_ptr>([&] { return perform(c); }); },
      [this](lease_atom, lease_request& wish) { return guard->answer<lease_grant>([&] { return lease_one(wish); }); },
      [this](claim_atom, lease_id id) { guard->run([&] { pool->claim(id); }); },
      [this](release_atom, lease_id id) { return guard->answer<bool>([&] { return release(id); }); },
      [this](cancel_atom, const cancel_token_ptr& token) { guard->run([&] { cancel(token); }); },
      [this](event_atom, const connection_event& event) { guard->run([&] { on_event(event); }); },
      [this](load_atom, connection_id) {
        guard->run([&] {
          pool->on_load(now());
          carry_out();
        });
      },
      [this](breaker_atom, breaker_state state) {
        guard->run([&] {
          pool->on_breaker(state, now());
          carry_out();
        });
      },
      [this](slot_atom, bool take) {
        return guard->answer<bool>([&]() -> caf::result<bool> {
          if (take) {
            monitor = caf::actor_cast<caf::actor_addr>(self->current_sender());
            return pool->take_probe_slot(now());
          }
          pool->give_probe_slot(now());
          carry_out();
          return true;
        });
      },
      [this](check_atom, time_point deadline) {
        return guard->answer<pool_health>([&] { return check_all(deadline); });
      },
      [this](cleanup_atom) {
        return guard->answer<std::uint32_t>([&]() -> caf::result<std::uint32_t> {
          const auto closed = pool->cleanup(now());
          carry_out();
          return closed;
        });
      },
      [this](status_atom) {
        return guard->answer<pool_snapshot>([&]() -> caf::result<pool_snapshot> { return pool->snapshot(now()); });
      },
      [this](drain_atom, time_point deadline) {
        return guard->answer<bool>([&] {
          pool->drain(deadline, now());
          return when_drained();
        });
      },
      [this](removed_atom, time_point deadline) {
        return guard->answer<bool>([&] {
          pool->leave(deadline, now());
          return when_drained();
        });
      },
      [this](reload_atom, server_context_ptr& next) { guard->run([&] { reload(std::move(next)); }); },
      [this](resume_atom) {
        guard->run([&] {
          pool->resume(now());
          carry_out();
        });
      },
      [this](tick_atom, std::uint64_t number) { guard->run([&] { tick(number); }); },
  };
}

caf::result<result_ptr> pool_actor_state::perform(call& c) {
  if (c.token) {
    c.token->rest_at(context->id, 0);
    if (c.token->cancelled()) {
      give_permit_back(c.trial, c.generation);
      return to_error(pool->cancelled(now()));
    }
  }
  auto who = acquire_request_for(c);
  const auto at = now();
  if (const auto id = who.what == acquire_kind::shared ? pool->try_dispatch(at) : 0) {
    // The connection looks at the token again: it may have been set since.
    if (c.token) c.token->rest_at(context->id, id);
    caf::result<result_ptr> answer = fast_delegate<result_ptr>(*self, connections.at(id), perform_atom_v, std::move(c));
    if (pool->has_actions()) carry_out();
    return answer;
  }
  const auto waiter = pool->enqueue(std::move(who), at);
  auto promise = self->make_response_promise<result_ptr>();
  waiters.emplace(waiter, waiting_call{promise, std::move(c)});
  carry_out();
  return promise;
}

caf::result<lease_grant> pool_actor_state::lease_one(lease_request& wish) {
  if (wish.token) wish.token->rest_at(context->id, 0);
  if (wish.anew) pool->resume(now());
  const auto waiter = pool->enqueue(acquire_request_for(wish), now());
  const auto holder = caf::actor_cast<caf::actor_addr>(self->current_sender());
  auto promise = self->make_response_promise<lease_grant>();
  waiters.emplace(waiter, waiting_lease{promise, std::move(wish), holder});
  carry_out();
  return promise;
}

caf::result<bool> pool_actor_state::release(lease_id id) {
  const auto outcome = pool->release(id, now());
  carry_out();
  if (outcome.unknown) return to_error(outcome.unknown);
  return outcome.returned;
}

void pool_actor_state::cancel(const cancel_token_ptr& token) {
  if (!token) return;
  if (!pool->cancel(token.get(), now())) tell(token->connection(), cancel_atom_v, token);
  carry_out();
}

void pool_actor_state::on_event(const connection_event& event) {
  using kind = connection_event::kind;
  switch (event.what) {
    case kind::ready:
      pool->on_ready(event.id, now(), event.secret_number);
      break;
    case kind::failed:
      pool->on_failed(event.id, event.cause, now());
      break;
    case kind::draining:
      pool->on_draining(event.id, event.cause, now());
      break;
    case kind::closed:
      pool->on_closed(event.id, event.cause, now());
      break;
  }
  carry_out();
}

void pool_actor_state::on_down(const caf::actor_addr& who) {
  if (const auto dead = connection_of.find(who); dead != connection_of.end()) {
    pool->on_closed(dead->second,
                    make_failure(errc::connection_failed, stage::connect, "a connection's actor ended without a word",
                                 context->name),
                    now());
  }
  if (const auto holder = held_by.find(who); holder != held_by.end()) {
    const auto theirs = holder->second;
    for (const auto lease : theirs) pool->take_back(lease, "its holder ended", now());
  }
  carry_out();
}

caf::result<pool_health> pool_actor_state::check_all(time_point deadline) {
  const auto at = now();
  const auto ids = pool->ask_all(deadline);
  const auto counts = pool->counts(at);
  auto round = std::make_shared<check_round>();
  round->found.active_connections = counts.in_use;
  round->found.idle_connections = counts.idle;
  round->left = ids.size();
  round->found.connecting = counts.connecting;
  // Those that cannot be read from now (users' binds) are known to be connected.
  round->found.healthy_connections = counts.in_use + counts.idle - static_cast<std::uint32_t>(ids.size());
  if (ids.empty()) return round->found;
  round->promise = self->make_response_promise<pool_health>();
  const auto patience = std::max<caf::timespan>(as_limit(deadline - at), milliseconds{1});
  const auto usual = std::max<duration>(context->all->breaker.suspect_after, context->pace->patience(true));
  const bool hurried = deadline - at < usual;
  const auto settle_one = [this, round, hurried, deadline](connection_id id, const probe_report& report) {
    guard->run([&] {
      round->note(report);
      // What says busy is no evidence of health, but no reason to end the connection either. Nor is the asker's hurry,
      // or what the server leaves unanswered on any connection.
      const bool answered = report.answers_others || (report.error && report.error->code == errc::ldap_error);
      if (!hurried || now() < deadline) pool->checked(id, report.ok || answered, now());
      carry_out();
    });
  };
  for (const auto id : ids)
    self->request(connections.at(id), patience, check_atom_v, deadline)
        .then([=](const probe_report& report) { settle_one(id, report); },
              [=](caf::error&) { settle_one(id, probe_report{}); });
  return round->promise;
}

caf::result<bool> pool_actor_state::when_drained() {
  auto promise = self->make_response_promise<bool>();
  drains.push_back(promise);
  carry_out();
  return promise;
}

/// Connections that are open keep the context that they were made with.
void pool_actor_state::reload(server_context_ptr next) {
  const bool renew = !same_connection(context->server, *context->all, next->server, *next->all);
  context = std::move(next);
  pool->reconfigure(policy_of(*context->all, context->server, context->id, context->name), renew, now());
  carry_out();
}

void pool_actor_state::tick(std::uint64_t number) {
  if (!timer->fired(number)) return;
  pool->tick(now());
  carry_out();
}

void pool_actor_state::restart() {
  const auto at = now();
  std::vector<connection_id> known;
  for (const auto& [id, handle] : connections) known.push_back(id);
  const pool_state old = std::move(*pool);
  pool.emplace(make_pool());
  pool->adopt(old, known, at);
  auto again = std::exchange(waiters, {});
  for (auto& [waiter, w] : again) {
    auto who = std::visit([](const auto& one) { return acquire_request_for(one.what); }, w);
    waiters.emplace(pool->enqueue(std::move(who), at), std::move(w));
  }
  pool->start(at);
  carry_out();
}

// ---- carrying out what the pool decided ----

/// Lets std::visit reach the state's private handlers.
struct action_visitor {
  pool_actor_state& state;
  template <class Action>
  void operator()(const Action& a) const {
    state(a);
  }
};

pool_actor_state::~pool_actor_state() {
  if (!pool) return;
  try {
    const auto why = pool_ended(context->name);
    for (auto& [waiter, w] : waiters) settle(w, why);
    for (auto& promise : drains) promise.deliver(false);
    for (auto& [id, handle] : connections) {
      self->send(handle, close_atom_v);
      self->send(handle, removed_atom_v);
    }
  } catch (...) {
    context->env->log->write(log_level::error, "pool", "the pool could not say goodbye to everyone", {});
  }
}

void pool_actor_state::carry_out() {
  while (pool->has_actions())
    for (const auto& action : pool->take_actions()) std::visit(action_visitor{*this}, action);
  timer->arm_by(pool->next_event());
}

std::optional<pool_actor_state::waiting> pool_actor_state::take(waiter_id waiter) {
  const auto found = waiters.find(waiter);
  if (found == waiters.end()) return std::nullopt;
  std::optional<waiting> taken{std::move(found->second)};
  waiters.erase(found);
  return taken;
}

void pool_actor_state::settle(waiting& w, const failure_ptr& why) {
  std::visit(
      [&](auto& one) {
        give_permit_back(one.what.trial, one.what.generation);
        one.promise.deliver(to_error(why));
      },
      w);
}

void pool_actor_state::give_permit_back(bool trial, std::uint32_t generation) {
  if (!trial) return;
  outcome_report unused;
  unused.server = context->id;
  unused.generation = generation;
  unused.trial = true;
  if (const auto router = caf::actor_cast<circuit_breaker_actor>(breaker)) self->send(router, report_atom_v, unused);
}

void pool_actor_state::operator()(const pool_action::open& a) {
  auto gauge = std::make_shared<connection_load>();
  connection_spec spec;
  spec.id = a.id;
  spec.kind = a.kind;
  spec.context = context;
  spec.gauge = gauge;
  spec.owner = self->address();
  spec.breaker = breaker;
  spec.gate = gate;
  pool->attach(a.id, load_reading{{gauge, &gauge->completed},
                                  {gauge, &gauge->wanted},
                                  {gauge, &gauge->silent},
                                  {gauge, &gauge->held_up},
                                  {gauge, &gauge->awaited_since},
                                  {gauge, &gauge->reader_behind}});
  connection_actor made;
  try {
    made = factory(self->system(), std::move(spec));
  } catch (const std::exception&) {
    pool->on_failed(a.id, cannot_make_connection(context->name), now());
    return;
  }
  self->monitor(made);
  connection_of[made.address()] = a.id;
  connections.emplace(a.id, std::move(made));
}

void pool_actor_state::operator()(const pool_action::dispatch& a) {
  auto w = take(a.waiter);
  if (!w) return;
  auto& waiter = std::get<waiting_call>(*w);
  if (waiter.what.token) waiter.what.token->rest_at(context->id, a.to);
  waiter.promise.delegate(connections.at(a.to), perform_atom_v, std::move(waiter.what));
}

void pool_actor_state::operator()(const pool_action::grant& a) {
  auto w = take(a.waiter);
  if (!w) return;
  auto& waiter = std::get<waiting_lease>(*w);
  lease_grant grant;
  grant.id = a.lease;
  grant.connection_number = a.connection;
  grant.server = context->id;
  grant.server_name = context->name;
  grant.connection = connections.at(a.connection);
  watch(a.lease, waiter.holder);
  self->send(grant.connection, lease_atom_v, a.lease);
  waiter.promise.deliver(std::move(grant));
  give_permit_back(waiter.what.trial, waiter.what.generation);
}

void pool_actor_state::watch(lease_id lease, const caf::actor_addr& holder) {
  const auto who = caf::actor_cast<caf::strong_actor_ptr>(holder);
  if (!who) return;
  holder_of[lease] = holder;
  auto& theirs = held_by[holder];
  if (theirs.empty()) self->monitor(who);
  theirs.insert(lease);
}

void pool_actor_state::operator()(const pool_action::unwatch& a) {
  const auto known = holder_of.find(a.lease);
  if (known == holder_of.end()) return;
  const auto holder = known->second;
  holder_of.erase(known);
  const auto theirs = held_by.find(holder);
  theirs->second.erase(a.lease);
  if (!theirs->second.empty()) return;
  held_by.erase(theirs);
  self->demonitor(holder);
}

void pool_actor_state::operator()(const pool_action::refuse& a) {
  if (auto w = take(a.waiter)) settle(*w, a.why);
}

void pool_actor_state::operator()(const pool_action::redispatch& a) {
  auto w = take(a.waiter);
  if (!w) return;
  if (auto* c = std::get_if<waiting_call>(&*w))
    send_back(*c, perform_atom_v, a);
  else
    send_back(std::get<waiting_lease>(*w), lease_atom_v, a);
}

template <class Waiting, class Atom>
void pool_actor_state::send_back(Waiting& w, Atom what, const pool_action::redispatch& a) {
  const auto router = caf::actor_cast<circuit_breaker_actor>(breaker);
  if (!router) {
    w.promise.deliver(to_error(a.cause));
    return;
  }
  give_permit_back(w.what.trial, w.what.generation);
  if (a.counted) ++w.what.attempts;
  w.what.tried.insert(context->id);
  w.what.last = a.cause;
  w.what.trial = false;
  if (context->env->metrics) context->env->metrics->redispatch();
  w.promise.delegate(router, what, std::move(w.what));
}

void pool_actor_state::operator()(const pool_action::reset& a) { tell(a.id, reset_atom_v, a.lease); }

void pool_actor_state::operator()(const pool_action::drain& a) { tell(a.id, drain_atom_v); }

void pool_actor_state::operator()(const pool_action::close& a) { tell(a.id, close_atom_v); }

void pool_actor_state::operator()(const pool_action::forget& a) {
  const auto found = connections.find(a.id);
  if (found == connections.end()) return;
  self->demonitor(found->second.address());
  self->send(found->second, removed_atom_v);
  connection_of.erase(found->second.address());
  connections.erase(found);
}

void pool_actor_state::operator()(const pool_action::check& a) {
  const auto found = connections.find(a.id);
  if (found == connections.end()) return;
  const auto patience = std::max<caf::timespan>(a.deadline - now(), milliseconds{1});
  const auto settle_one = [this, id = a.id](bool works) {
    guard->run([&] {
      pool->checked(id, works, now());
      carry_out();
    });
  };
  self->request(found->second, patience, check_atom_v, a.deadline)
      .then([=](const probe_report& report) { settle_one(report.ok || report.answers_others); },
            [=](caf::error&) { settle_one(false); });
}

void pool_actor_state::operator()(const pool_action::report& a) {
  outcome_report failed;
  failed.server = context->id;
  failed.failed = a.what;
  failed.cause = a.cause;
  failed.none_left = a.none_left;
  if (const auto router = caf::actor_cast<circuit_breaker_actor>(breaker)) self->send(router, report_atom_v, failed);
}

void pool_actor_state::operator()(const pool_action::lost_requests& a) {
  outcome_report lost;
  lost.server = context->id;
  lost.failed = classify(*a.cause);
  lost.cause = a.cause;
  lost.open_since = a.sent_at;
  if (const auto router = caf::actor_cast<circuit_breaker_actor>(breaker)) self->send(router, report_atom_v, lost);
}

void pool_actor_state::operator()(const pool_action::readiness& a) {
  outcome_report told;
  told.server = context->id;
  told.silent = !a.ready;
  told.ready = a.ready && a.told;
  told.answered = a.ready && !a.told;
  if (const auto router = caf::actor_cast<circuit_breaker_actor>(breaker)) self->send(router, report_atom_v, told);
}

void pool_actor_state::operator()(const pool_action::ask_for_probe_slot&) {
  if (const auto keeper = caf::actor_cast<health_monitor_actor>(monitor)) self->send(keeper, slot_atom_v, context->id);
}

void pool_actor_state::operator()(const pool_action::note& a) {
  context->env->log->write(a.level, "pool", a.text, {{"server", context->name}});
}

void pool_actor_state::operator()(const pool_action::drained& a) {
  for (auto& promise : std::exchange(drains, {})) promise.deliver(a.clean);
}

}  // namespace understudy::internal
