// The pool actor: messages in, answers out.
#include "understudy/actors/pool/pool_actor.hpp"
#include "understudy/actors/metrics/registry.hpp"
#include "understudy/actors/pool/pool_state.hpp"
#include "understudy/actors/ports/actor_shell.hpp"
#include "understudy/actors/ports/actor_timer.hpp"
#include "understudy/actors/ports/fast_delivery.hpp"
#include "understudy/actors/ports/guard.hpp"
#include "understudy/actors/ports/ports.hpp"
#include "understudy/config/reload.hpp"

#include <caf/actor_cast.hpp>
#include <caf/exit_reason.hpp>
#include <caf/system_messages.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace understudy::internal {

/// Translates messages to events of pool_state, and its actions to messages.
class pool_impl {
 public:
  static constexpr const char* name = "understudy.pool";

  pool_impl(pool_actor::pointer self, server_context_ptr context, connection_factory factory, caf::actor_addr breaker,
            caf::actor_addr manager);
  ~pool_impl();
  pool_impl(const pool_impl&) = delete;
  pool_impl& operator=(const pool_impl&) = delete;

  pool_actor::behavior_type make_behavior();

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

  // Messages.
  caf::result<result_ptr> perform(call& c);
  caf::result<lease_grant> lease_one(lease_request& wish);
  caf::result<bool> release(lease_id id);
  void cancel(const cancel_token_ptr& token);
  void on_event(const connection_event& event);
  void on_down(const caf::actor_addr& ended);
  caf::result<pool_health> check_all(time_point deadline);
  caf::result<bool> when_drained();
  void reload(server_context_ptr next);
  void tick(std::uint64_t number);
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

  void take_back(lease_id lease);
  void watch(lease_id lease, const caf::actor_addr& holder);
  void settle(waiting& w, const failure_ptr& why);
  template <class Waiting, class Atom>
  void send_back(Waiting& w, Atom atom, const pool_action::redispatch& a);
  void give_permit_back(bool trial, std::uint32_t generation);
  void report(outcome_report told);
  std::optional<waiting> take(waiter_id waiter);
  pool_state make_pool() const;
  time_point now() const { return context_->env->clock->now(); }
  /// Nothing when that connection has left.
  template <class... Ts>
  void tell(connection_id id, const Ts&... content) {
    const auto found = connections_.find(id);
    if (found != connections_.end()) self_->send(found->second, content...);
  }

  pool_actor::pointer self_;
  server_context_ptr context_;
  connection_factory factory_;
  caf::actor_addr breaker_, manager_;
  caf::actor_addr monitor_;  ///< whoever asked for a probe's socket last
  handler_guard guard_;
  actor_timer timer_;
  pool_state pool_;
  std::map<waiter_id, waiting> waiters_;
  std::unordered_map<connection_id, connection_actor> connections_;
  std::map<caf::actor_addr, connection_id> connection_of_;
  std::map<lease_id, caf::actor_addr> holder_of_;
  std::map<caf::actor_addr, std::set<lease_id>> held_by_;
  std::vector<caf::typed_response_promise<bool>> drains_;
};

namespace {

/// A connection answers a check at its deadline itself, with what had come by then: a process that stood still learns
/// that the time is over before it has read that. This much longer is waited for the connection, not for its server …
constexpr seconds late_answer{2};
/// … and this much where somebody waits for the answers of all.
constexpr milliseconds late_answer_of_all{100};

/// The return of a lease takes no longer than this through the manager.
constexpr seconds longest_return{1};

/// What both have.
template <class Message>
acquire_request acquire_request_of(acquire_kind kind, const Message& message) {
  acquire_request made;
  made.what = kind;
  made.deadline = message.deadline;
  made.token = message.token;
  made.attempts = message.attempts;
  return made;
}

acquire_request acquire_request_for(const call& c) {
  return acquire_request_of(
      std::holds_alternative<bind_request>(c.what->op) ? acquire_kind::bind : acquire_kind::shared, c);
}

acquire_request acquire_request_for(const lease_request& wish) {
  auto made = acquire_request_of(wish.for_bind ? acquire_kind::bind_lease : acquire_kind::lease, wish);
  made.may_wait = wish.wait;
  made.holder = wish.holder;
  return made;
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
                      caf::actor_addr breaker, caf::actor_addr manager) {
  auto poller = context->env->poller;
  return spawn_shell_on_poller<pool_actor, pool_impl>(system, std::move(poller), std::move(context), std::move(factory),
                                                      std::move(breaker), std::move(manager));
}

/// The counts of one validation, shared by its answers.
struct pool_impl::check_round {
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

pool_impl::pool_impl(pool_actor::pointer self, server_context_ptr context, connection_factory factory,
                     caf::actor_addr breaker, caf::actor_addr manager)
    : self_(self),
      context_(std::move(context)),
      factory_(std::move(factory)),
      breaker_(std::move(breaker)),
      manager_(std::move(manager)),
      guard_(*self, context_->env, "pool", [this] { restart(); }),
      timer_(context_->env->poller, self->address()),
      pool_(make_pool()) {
  self_->set_down_handler(
      [this](caf::scheduled_actor*, caf::down_msg& down) { guard_.run([&] { on_down(down.source); }); });
  guard_.run([this] {
    pool_.start(now());
    carry_out();
  });
}

pool_state pool_impl::make_pool() const {
  const auto env = context_->env;
  pool_dependencies world{make_random(env->seed + context_->id),
                          [env] { return env->next_number(); },
                          [env] { return env->clock->wall_now(); },
                          [pace = context_->pace] { return pace->patience(true); },
                          context_->permits,
                          [pace = context_->pace](time_point at) { return pace->answers_in_turn(at); }};
  return pool_state{policy_of(*context_->all, context_->server, context_->id, context_->name), std::move(world), now()};
}

pool_actor::behavior_type pool_impl::make_behavior() {
  return {
      [this](perform_atom, call& c) { return guard_.answer<result_ptr>([&] { return perform(c); }); },
      [this](lease_atom, lease_request& wish) { return guard_.answer<lease_grant>([&] { return lease_one(wish); }); },
      [this](claim_atom, lease_id id) { guard_.run([&] { pool_.claim(id); }); },
      [this](release_atom, lease_id id) { return guard_.answer<bool>([&] { return release(id); }); },
      [this](cancel_atom, const cancel_token_ptr& token) { guard_.run([&] { cancel(token); }); },
      [this](event_atom, const connection_event& event) { guard_.run([&] { on_event(event); }); },
      [this](load_atom, connection_id) {
        guard_.run([&] {
          pool_.on_load(now());
          carry_out();
        });
      },
      [this](breaker_atom, breaker_state state) {
        guard_.run([&] {
          pool_.on_breaker(state, now());
          carry_out();
        });
      },
      [this](slot_atom, bool take) {
        return guard_.answer<bool>([&]() -> caf::result<bool> {
          if (take) {
            monitor_ = caf::actor_cast<caf::actor_addr>(self_->current_sender());
            return pool_.take_probe_slot(now());
          }
          pool_.give_probe_slot(now());
          carry_out();
          return true;
        });
      },
      [this](check_atom, time_point deadline) {
        return guard_.answer<pool_health>([&] { return check_all(deadline); });
      },
      [this](cleanup_atom) {
        return guard_.answer<std::uint32_t>([&]() -> caf::result<std::uint32_t> {
          const auto closed = pool_.cleanup(now());
          carry_out();
          return closed;
        });
      },
      [this](status_atom) {
        return guard_.answer<pool_snapshot>([&]() -> caf::result<pool_snapshot> { return pool_.snapshot(now()); });
      },
      [this](drain_atom, time_point deadline) {
        return guard_.answer<bool>([&] {
          pool_.drain(deadline, now());
          return when_drained();
        });
      },
      [this](removed_atom, time_point deadline) {
        return guard_.answer<bool>([&] {
          pool_.leave(deadline, now());
          return when_drained();
        });
      },
      [this](reload_atom, server_context_ptr& next) { guard_.run([&] { reload(std::move(next)); }); },
      [this](resume_atom) {
        guard_.run([&] {
          pool_.resume(now());
          carry_out();
        });
      },
      [this](tick_atom, std::uint64_t number) { guard_.run([&] { tick(number); }); },
  };
}

caf::result<result_ptr> pool_impl::perform(call& c) {
  if (c.token) {
    c.token->rest_at(context_->id, 0);
    if (c.token->cancelled()) {
      give_permit_back(c.trial, c.generation);
      return to_error(pool_.cancelled(now()));
    }
  }
  auto request = acquire_request_for(c);
  const auto at = now();
  if (const auto id = request.what == acquire_kind::shared ? pool_.try_dispatch(at) : 0) {
    // The connection looks at the token again: it may have been set since.
    if (c.token) c.token->rest_at(context_->id, id);
    caf::result<result_ptr> answer =
        fast_delegate<result_ptr>(*self_, connections_.at(id), perform_atom_v, std::move(c));
    if (pool_.has_actions()) carry_out();
    return answer;
  }
  const auto waiter = pool_.enqueue(std::move(request), at);
  auto promise = self_->make_response_promise<result_ptr>();
  waiters_.emplace(waiter, waiting_call{promise, std::move(c)});
  carry_out();
  return promise;
}

caf::result<lease_grant> pool_impl::lease_one(lease_request& wish) {
  if (wish.token) wish.token->rest_at(context_->id, 0);
  if (wish.anew) pool_.resume(now());
  const auto waiter = pool_.enqueue(acquire_request_for(wish), now());
  const auto holder = caf::actor_cast<caf::actor_addr>(self_->current_sender());
  auto promise = self_->make_response_promise<lease_grant>();
  waiters_.emplace(waiter, waiting_lease{promise, std::move(wish), holder});
  carry_out();
  return promise;
}

caf::result<bool> pool_impl::release(lease_id id) {
  const auto outcome = pool_.release(id, now());
  carry_out();
  if (outcome.unknown) return to_error(outcome.unknown);
  return outcome.returned;
}

void pool_impl::cancel(const cancel_token_ptr& token) {
  if (!token) return;
  if (!pool_.cancel(token.get(), now())) tell(token->connection(), cancel_atom_v, token);
  carry_out();
}

void pool_impl::on_event(const connection_event& event) {
  using kind = connection_event::kind;
  switch (event.what) {
    case kind::ready:
      pool_.on_ready(event.id, now(), event.secret_number);
      break;
    case kind::failed:
      pool_.on_failed(event.id, event.cause, now());
      break;
    case kind::draining:
      pool_.on_draining(event.id, event.cause, now());
      break;
    case kind::closed:
      pool_.on_closed(event.id, event.cause, now(), event.broke_protocol);
      break;
  }
  carry_out();
}

void pool_impl::on_down(const caf::actor_addr& ended) {
  if (const auto dead = connection_of_.find(ended); dead != connection_of_.end()) {
    pool_.on_closed(dead->second,
                    make_failure(errc::connection_failed, stage::connect, "a connection's actor ended without a word",
                                 context_->name),
                    now());
  }
  if (const auto holder = held_by_.find(ended); holder != held_by_.end()) {
    const auto theirs = holder->second;
    for (const auto lease : theirs) take_back(lease);
  }
  carry_out();
}

/// Its holder has ended. What that sent last goes through the manager, and may be the return of just this lease: it is
/// here before what the manager answers now.
void pool_impl::take_back(lease_id lease) {
  const auto end = [this, lease] {
    guard_.run([&] {
      pool_.take_back(lease, "its holder ended", now());
      carry_out();
    });
  };
  const auto manager = caf::actor_cast<connection_manager_actor>(manager_);
  if (!manager) return end();
  self_->request(manager, longest_return, router_atom_v)
      .then([end](const circuit_breaker_actor&) { end(); }, [end](const caf::error&) { end(); });
}

caf::result<pool_health> pool_impl::check_all(time_point deadline) {
  const auto at = now();
  const auto ids = pool_.ask_all(deadline);
  const auto counts = pool_.counts(at);
  auto round = std::make_shared<check_round>();
  round->found.active_connections = counts.in_use;
  round->found.idle_connections = counts.idle;
  round->left = ids.size();
  round->found.connecting = counts.connecting;
  // Those that cannot be read from now (users' binds) are known to be connected.
  round->found.healthy_connections = counts.in_use + counts.idle - static_cast<std::uint32_t>(ids.size());
  if (ids.empty()) return round->found;
  round->promise = self_->make_response_promise<pool_health>();
  const auto patience = std::max<caf::timespan>(as_limit(deadline - at), milliseconds{1}) + late_answer_of_all;
  const auto usual = std::max<duration>(context_->all->breaker.suspect_after, context_->pace->patience(true));
  const bool hurried = deadline - at < usual;
  const auto settle_one = [this, round, hurried, deadline](connection_id id, const probe_report& report) {
    guard_.run([&] {
      round->note(report);
      // What says busy is no evidence of health, but no reason to end the connection either. Nor is the asker's hurry,
      // or what the server leaves unanswered on any connection.
      const bool answered = report.answers_others || (report.error && report.error->code == errc::ldap_error);
      if (!hurried || now() < deadline) pool_.checked(id, report.ok || answered, now());
      carry_out();
    });
  };
  for (const auto id : ids)
    self_->request(connections_.at(id), patience, check_atom_v, deadline)
        .then([=](const probe_report& report) { settle_one(id, report); },
              [=](caf::error&) { settle_one(id, probe_report{}); });
  return round->promise;
}

caf::result<bool> pool_impl::when_drained() {
  auto promise = self_->make_response_promise<bool>();
  drains_.push_back(promise);
  carry_out();
  return promise;
}

/// Connections that are open keep the context that they were made with.
void pool_impl::reload(server_context_ptr next) {
  const bool renew = !same_connection(context_->server, *context_->all, next->server, *next->all);
  context_ = std::move(next);
  pool_.reconfigure(policy_of(*context_->all, context_->server, context_->id, context_->name), renew, now());
  carry_out();
}

void pool_impl::tick(std::uint64_t number) {
  if (!timer_.fired(number)) return;
  pool_.tick(now());
  carry_out();
}

void pool_impl::restart() {
  const auto at = now();
  std::vector<connection_id> known;
  for (const auto& [id, handle] : connections_) known.push_back(id);
  const pool_state old = std::exchange(pool_, make_pool());
  pool_.adopt(old, known, at);
  auto again = std::exchange(waiters_, {});
  for (auto& [waiter, w] : again) {
    auto request = std::visit([](const auto& waiting_for) { return acquire_request_for(waiting_for.what); }, w);
    waiters_.emplace(pool_.enqueue(std::move(request), at), std::move(w));
  }
  pool_.start(at);
  carry_out();
}

// ---- carrying out what the pool decided ----

/// Lets std::visit reach the state's private handlers.
struct action_visitor {
  pool_impl& state;
  template <class Action>
  void operator()(const Action& a) const {
    state(a);
  }
};

pool_impl::~pool_impl() {
  try {
    const auto why = pool_ended(context_->name);
    for (auto& [waiter, w] : waiters_) settle(w, why);
    for (auto& promise : drains_) promise.deliver(false);
    for (auto& [id, handle] : connections_) {
      self_->send(handle, close_atom_v);
      self_->send(handle, removed_atom_v);
    }
  } catch (...) {
    context_->env->log->write(log_level::error, "pool", "the pool ended before all of its connections had", {});
  }
}

void pool_impl::carry_out() {
  while (pool_.has_actions())
    for (const auto& action : pool_.take_actions()) std::visit(action_visitor{*this}, action);
  timer_.arm_by(pool_.next_event());
}

std::optional<pool_impl::waiting> pool_impl::take(waiter_id waiter) {
  const auto found = waiters_.find(waiter);
  if (found == waiters_.end()) return std::nullopt;
  std::optional<waiting> taken{std::move(found->second)};
  waiters_.erase(found);
  return taken;
}

void pool_impl::settle(waiting& w, const failure_ptr& why) {
  std::visit(
      [&](auto& waiter) {
        give_permit_back(waiter.what.trial, waiter.what.generation);
        waiter.promise.deliver(to_error(why));
      },
      w);
}

void pool_impl::give_permit_back(bool trial, std::uint32_t generation) {
  if (!trial) return;
  outcome_report unused;
  unused.generation = generation;
  unused.trial = true;
  report(std::move(unused));
}

/// To the breaker, of this server.
void pool_impl::report(outcome_report told) {
  told.server = context_->id;
  if (const auto router = caf::actor_cast<circuit_breaker_actor>(breaker_))
    self_->send(router, report_atom_v, std::move(told));
}

void pool_impl::operator()(const pool_action::open& a) {
  auto load = std::make_shared<connection_load>();
  connection_spec spec;
  spec.id = a.id;
  spec.kind = a.kind;
  spec.context = context_;
  spec.load = load;
  spec.owner = self_->address();
  spec.breaker = breaker_;
  spec.manager = manager_;
  spec.permit = a.permit;
  pool_.attach(a.id, load_reading{{load, &load->completed},
                                  {load, &load->wanted},
                                  {load, &load->silent},
                                  {load, &load->held_up},
                                  {load, &load->awaited_since},
                                  {load, &load->reader_behind}});
  connection_actor made;
  try {
    made = factory_(self_->system(), std::move(spec));
  } catch (const std::exception&) {
    pool_.on_failed(a.id, cannot_make_connection(context_->name), now());
    return;
  }
  self_->monitor(made);
  connection_of_[made.address()] = a.id;
  connections_.emplace(a.id, std::move(made));
}

void pool_impl::operator()(const pool_action::dispatch& a) {
  auto w = take(a.waiter);
  if (!w) return;
  auto& waiter = std::get<waiting_call>(*w);
  if (waiter.what.token) waiter.what.token->rest_at(context_->id, a.to);
  waiter.promise.delegate(connections_.at(a.to), perform_atom_v, std::move(waiter.what));
}

void pool_impl::operator()(const pool_action::grant& a) {
  auto w = take(a.waiter);
  if (!w) return;
  auto& waiter = std::get<waiting_lease>(*w);
  lease_grant grant;
  grant.id = a.lease;
  grant.connection_number = a.connection;
  grant.server = context_->id;
  grant.server_name = context_->name;
  grant.connection = connections_.at(a.connection);
  watch(a.lease, waiter.holder);
  self_->send(grant.connection, lease_atom_v, a.lease);
  waiter.promise.deliver(std::move(grant));
  give_permit_back(waiter.what.trial, waiter.what.generation);
}

void pool_impl::watch(lease_id lease, const caf::actor_addr& holder) {
  const auto alive = caf::actor_cast<caf::strong_actor_ptr>(holder);
  if (!alive) return;
  holder_of_[lease] = holder;
  auto& theirs = held_by_[holder];
  if (theirs.empty()) self_->monitor(alive);
  theirs.insert(lease);
}

void pool_impl::operator()(const pool_action::unwatch& a) {
  const auto known = holder_of_.find(a.lease);
  if (known == holder_of_.end()) return;
  const auto holder = known->second;
  holder_of_.erase(known);
  const auto theirs = held_by_.find(holder);
  theirs->second.erase(a.lease);
  if (!theirs->second.empty()) return;
  held_by_.erase(theirs);
  self_->demonitor(holder);
}

void pool_impl::operator()(const pool_action::refuse& a) {
  if (auto w = take(a.waiter)) settle(*w, a.why);
}

void pool_impl::operator()(const pool_action::redispatch& a) {
  auto w = take(a.waiter);
  if (!w) return;
  if (auto* c = std::get_if<waiting_call>(&*w))
    send_back(*c, perform_atom_v, a);
  else
    send_back(std::get<waiting_lease>(*w), lease_atom_v, a);
}

template <class Waiting, class Atom>
void pool_impl::send_back(Waiting& w, Atom atom, const pool_action::redispatch& a) {
  const auto router = caf::actor_cast<circuit_breaker_actor>(breaker_);
  if (!router) {
    w.promise.deliver(to_error(a.cause));
    return;
  }
  give_permit_back(w.what.trial, w.what.generation);
  if (a.counted) ++w.what.attempts;
  w.what.tried.insert(context_->id);
  w.what.last = a.cause;
  w.what.trial = false;
  if (context_->env->metrics) context_->env->metrics->redispatch();
  w.promise.delegate(router, atom, std::move(w.what));
}

void pool_impl::operator()(const pool_action::reset& a) { tell(a.id, reset_atom_v, a.lease); }

void pool_impl::operator()(const pool_action::drain& a) { tell(a.id, drain_atom_v); }

void pool_impl::operator()(const pool_action::close& a) { tell(a.id, close_atom_v); }

void pool_impl::operator()(const pool_action::forget& a) {
  const auto found = connections_.find(a.id);
  if (found == connections_.end()) return;
  self_->demonitor(found->second.address());
  self_->send(found->second, removed_atom_v);
  connection_of_.erase(found->second.address());
  connections_.erase(found);
}

void pool_impl::operator()(const pool_action::check& a) {
  const auto found = connections_.find(a.id);
  if (found == connections_.end()) return;
  const auto patience = std::max<caf::timespan>(a.deadline - now(), milliseconds{1}) + late_answer;
  const auto settle_one = [this, id = a.id](bool works) {
    guard_.run([&] {
      pool_.checked(id, works, now());
      carry_out();
    });
  };
  self_->request(found->second, patience, check_atom_v, a.deadline)
      .then([=](const probe_report& report) { settle_one(report.ok || report.answers_others); },
            [=](caf::error&) { settle_one(false); });
}

void pool_impl::operator()(const pool_action::report& a) {
  outcome_report failed;
  failed.failed = a.what;
  failed.cause = a.cause;
  failed.none_left = a.none_left;
  report(std::move(failed));
}

void pool_impl::operator()(const pool_action::lost_requests& a) {
  outcome_report lost;
  lost.failed = classify(*a.cause);
  lost.cause = a.cause;
  lost.open_since = a.sent_at;
  report(std::move(lost));
}

void pool_impl::operator()(const pool_action::readiness& a) {
  outcome_report told;
  told.silent = !a.ready;
  told.ready = a.ready && a.told;
  told.answered = a.ready && !a.told;
  report(std::move(told));
}

void pool_impl::operator()(const pool_action::ask_for_probe_slot&) {
  if (const auto keeper = caf::actor_cast<health_monitor_actor>(monitor_))
    self_->send(keeper, slot_atom_v, context_->id);
}

void pool_impl::operator()(const pool_action::note& a) {
  context_->env->log->write(a.level, a.component, a.text, {{"server", context_->name}});
}

void pool_impl::operator()(const pool_action::drained& a) {
  for (auto& promise : std::exchange(drains_, {})) promise.deliver(a.clean);
}

}  // namespace understudy::internal
