// The pool actor: carrying out what the pool decided.
#include "understudy/actors/metrics/registry.hpp"
#include "understudy/actors/pool/pool_actor_state.hpp"

#include <caf/actor_cast.hpp>
#include <caf/exit_reason.hpp>

namespace understudy {
namespace {

failure_ptr pool_ended(const std::string& server) {
  return make_failure(errc::stopped, stage::queue, "the pool of " + server + " has ended", server);
}

failure_ptr cannot_make_connection(const std::string& server) {
  return make_failure(errc::connection_failed, stage::connect, "a connection could not be set up in this process",
                      server);
}

}  // namespace

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
    context->env->poller->remove_timer(timer);
  } catch (...) {
    context->env->log->write(log_level::error, "pool", "the pool could not say goodbye to everyone", {});
  }
}

void pool_actor_state::carry_out() {
  while (pool->has_actions())
    for (const auto& action : pool->take_actions()) std::visit(action_visitor{*this}, action);
  arm();
}

void pool_actor_state::arm() {
  const auto next = pool->next_event();
  if (next >= armed) return;
  armed = next;
  context->env->poller->set_timer(timer, next);
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
                                  {gauge, &gauge->awaited_since}});
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

void pool_actor_state::operator()(const pool_action::recast& a) {
  auto w = take(a.waiter);
  if (!w) return;
  if (auto* c = std::get_if<waiting_call>(&*w))
    send_back(*c, perform_atom_v, a);
  else
    send_back(std::get<waiting_lease>(*w), lease_atom_v, a);
}

template <class Waiting, class Atom>
void pool_actor_state::send_back(Waiting& w, Atom what, const pool_action::recast& a) {
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
  if (context->env->metrics) context->env->metrics->recast();
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

}  // namespace understudy
