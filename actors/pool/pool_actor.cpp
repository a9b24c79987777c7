// The pool actor: messages in, answers out.
#include "understudy/actors/pool/pool_actor.hpp"

#include "understudy/actors/pool/pool_actor_state.hpp"
#include "understudy/actors/ports/fast_delivery.hpp"
#include "understudy/actors/ports/hosted.hpp"
#include "understudy/config/reload.hpp"

#include <caf/exit_reason.hpp>
#include <caf/system_messages.hpp>

namespace understudy {
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

}  // namespace

pool_actor spawn_pool(caf::actor_system& system, server_context_ptr context, connection_factory factory,
                      caf::actor_addr breaker, caf::actor_addr gate) {
  auto poller = context->env->poller;
  return spawn_hosted(system, std::move(poller), pool_behavior, std::move(context), std::move(factory),
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
  timer = context->env->poller->add_timer(self->address());
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
      pool->on_draining(event.id, now());
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
  if (number != timer) return;
  armed = time_point::max();
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
  armed = time_point::max();
  carry_out();
}

}  // namespace understudy
