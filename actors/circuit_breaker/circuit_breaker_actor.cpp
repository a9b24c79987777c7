// Routes requests to the servers' pools and keeps one breaker for each server.
#include "understudy/actors/circuit_breaker/circuit_breaker_actor.hpp"

#include "understudy/actors/ports/actor_shell.hpp"
#include "understudy/actors/ports/fast_delivery.hpp"
#include "understudy/config/settings_from.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/detail/sync_request_bouncer.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <limits>

namespace understudy::internal {
namespace {

/// Before its deadline, so much is left of a request to answer it with more than that time is up.
constexpr milliseconds time_to_answer{10};

router_options options_of(const settings& all) {
  router_options o;
  o.breaker.threshold = all.breaker.circuit_breaker_threshold;
  o.breaker.failure_rate = all.breaker.failure_rate;
  o.breaker.window = all.breaker.window;
  o.breaker.open_base = all.breaker.open_base;
  o.breaker.open_cap = all.breaker.open_cap;
  o.breaker.permit_expiry = all.breaker.slow_call;
  o.breaker.trust = all.breaker.suspect_after;
  o.failback.automatic = all.failover.auto_failback;
  o.failback.hold_down = all.failover.hold_down;
  o.failback.ramp = all.failover.ramp;
  o.spill = all.failover.spill;
  o.wait_for_recovery = all.recovery.auto_recovery;
  return o;
}

server_facts facts_of(const server_context& context) {
  server_facts f;
  f.id = context.id;
  f.name = context.name;
  f.host = context.server.host;
  f.port = context.server.port;
  f.priority = context.server.priority;
  f.weight = context.server.weight;
  f.read_only = context.server.role == server_role::read_only;
  f.global_catalog = context.server.role == server_role::global_catalog;
  f.slowness = [pace = context.pace] { return pace->patience(false); };
  f.retry_delay = context.server.retry_delay;
  if (context.all) {
    const auto pool = pool_for(*context.all, context.server);
    f.capacity = static_cast<double>(pool.max_connections) * pool.max_in_flight;
  }
  return f;
}

/// The failure for a new request, or, with `last`, for one that was being redispatched.
failure why_draining(const failure_ptr& last) {
  return last ? runtime_stopping(stage::queue,
                                 "the request was cut off: the time to finish (limits.drain_timeout) was over, or the "
                                 "connection broke, before the answer came")
              : runtime_stopping(stage::queue);
}

/// With what became of it before.
failure after(failure f, const failure_ptr& last) {
  if (last) {
    f.cause = last->message;
    f.cause_code = last->code;
    f.server = last->server;
  }
  return f;
}

bool is_search(const any_operation& op) noexcept {
  const auto* opaque = std::get_if<opaque_request>(&op);
  return opaque != nullptr ? opaque->tag() == opaque_request::search : std::holds_alternative<search_request>(op);
}

selection_query needs_of(const call& c, const router& servers) {
  selection_query q;
  q.tried = c.tried;
  q.preferred = c.preferred;
  if (!c.what) return q;
  q.write = is_write(c.what->op);
  const auto& wish = c.what->wish;
  if (!q.preferred && !wish.server.empty()) q.preferred = servers.find(wish.server);
  q.global_catalog = wish.global_catalog && is_search(c.what->op);
  return q;
}

selection_query needs_of(const lease_request& r) {
  selection_query q;
  q.prefer_writable = true;
  q.tried = r.tried;
  q.preferred = r.preferred;
  q.anew = r.anew;
  return q;
}

void note_place(const cancel_token_ptr& token, server_id server) {
  if (token) token->rest_at(server, 0);
}

}  // namespace

circuit_breaker_impl::circuit_breaker_impl(circuit_breaker_actor::pointer self, environment_ptr env, settings_ptr all,
                                           std::vector<routed_server> servers)
    : self_(self),
      env_(std::move(env)),
      all_(std::move(all)),
      router_(options_of(*all_), make_random(env_->seed ^ self->id())),
      guard_(*self, env_, "breaker", [this] { arm(); }),
      timer_(env_->poller, self->address()) {
  take_servers(std::move(servers));
}

/// They are told what CAF tells those who still lie in the mailbox.
circuit_breaker_impl::~circuit_breaker_impl() {
  caf::detail::sync_request_bouncer bounce{caf::error{caf::exit_reason::user_shutdown}};
  for (const auto& one : held_) bounce(*one.what);
}

circuit_breaker_actor::behavior_type circuit_breaker_impl::make_behavior() {
  return {
      [this](perform_atom atom, call& c) {
        return guard_.answer<result_ptr>(
            [&] { return dispatch<perform_atom, result_ptr>(atom, c, needs_of(c, router_)); });
      },
      [this](lease_atom atom, lease_request& r) {
        return guard_.answer<lease_grant>([&] { return dispatch<lease_atom, lease_grant>(atom, r, needs_of(r)); });
      },
      [this](cancel_atom, const cancel_token_ptr& token) { guard_.run([&] { forward_cancel(token); }); },
      [this](report_atom, const outcome_report& report) { guard_.run([&] { on_report(report); }); },
      [this](probe_atom, const probe_report& report) { guard_.run([&] { on_probe(report); }); },
      [this](suspect_atom, server_id server) { guard_.run([&] { on_suspect(server); }); },
      [this](suspend_atom, server_id server, std::uint32_t ttl) {
        return guard_.answer<bool>([&]() -> caf::result<bool> {
          return change([&](const moment& at) { return router_.suspend(server, seconds{ttl}, at); });
        });
      },
      [this](resume_atom, server_id server) {
        return guard_.answer<bool>([&]() -> caf::result<bool> {
          return change([&](const moment& at) { return router_.resume(server, at); });
        });
      },
      [this](status_atom) {
        return guard_.answer<std::vector<server_snapshot>>(
            [&]() -> caf::result<std::vector<server_snapshot>> { return router_.snapshot(env_->clock->now()); });
      },
      [this](servers_atom, std::vector<routed_server>& servers) {
        guard_.run([&] { take_servers(std::move(servers)); });
      },
      [this](servers_atom, const failure_ptr& no_server_reason) { no_server_reason_ = no_server_reason; },
      [this](discover_atom, const caf::actor_addr& finder) { finder_ = finder; },
      [this](health_atom, const caf::actor_addr& monitor) { guard_.run([&] { take_monitor(monitor); }); },
      [this](drain_atom) {
        draining_ = true;
        guard_.run([&] { release_held(true); });
      },
      [this](tick_atom, std::uint64_t timer) {
        if (timer_.fired(timer)) guard_.run([&] { change([&](const moment& at) { router_.advance(at); }); });
      },
  };
}

/// Why a request is not to be sent to any server at all; null when it may.
template <class Message>
failure_ptr circuit_breaker_impl::cannot_go_on(const Message& message, time_point now) const {
  const auto refuse = [&](failure f) { return make_failure(after(std::move(f), message.last)); };
  if (message.token && message.token->cancelled()) return refuse(caller_cancelled(stage::queue, "nothing was sent"));
  if (draining_) return refuse(why_draining(message.last));
  if (servers_.empty() && no_server_reason_) return no_server_reason_;
  if (now >= message.deadline) return refuse(deadline_passed_unsent(stage::queue));
  if (message.last && message.attempts > most_attempts_) return message.last;
  return nullptr;
}

template <class Atom, class Answer, class Message>
caf::result<Answer> circuit_breaker_impl::dispatch(Atom atom, Message& message, const selection_query& needs) {
  const auto at = env_->clock->now();
  if (auto why = cannot_go_on(message, at)) return to_error(std::move(why));
  // Who has begun to try goes on; who comes now need not find out what is known.
  const bool hopeless = !message.last && !needs.anew && router_.known_down(at);
  const auto chosen = hopeless ? std::nullopt : router_.choose(needs, message.deadline, at);
  if (!chosen && may_hold(message.deadline, at)) {
    const auto until = std::min(look_.until(), message.deadline - time_to_answer);
    auto token = message.token;
    held_.push_back({take_message(*self_, atom, std::move(message)), std::move(token), until});
    arm();
    return caf::delegated<Answer>{};
  }
  if (!chosen) return to_error(router_.refuse(needs, message.last, at));
  message.generation = chosen->generation;
  message.trial = chosen->trial;
  note_place(message.token, chosen->server);
  if (message.token && message.token->cancelled()) {
    router_.take_back(*chosen);
    return to_error(cannot_go_on(message, at));
  }
  return fast_delegate<Answer>(*self_, servers_[chosen->index].pool, atom, std::move(message));
}

bool circuit_breaker_impl::may_hold(time_point deadline, time_point now) const {
  return look_.under_way(now) && deadline - time_to_answer > now && held_.size() < most_held();
}

std::size_t circuit_breaker_impl::most_held() const {
  return static_cast<std::size_t>(std::max(0, all_->pool.max_waiters));
}

/// Those whose time is over, or everybody when there is somewhere to go, or nothing left to wait for. They come in
/// again as they came first.
void circuit_breaker_impl::release_held(bool everybody) {
  const auto at = env_->clock->now();
  everybody = everybody || !look_.under_way(at) || router_.any_usable(at);
  for (auto& one : std::exchange(held_, {}))
    if (everybody || one.until <= at || (one.token && one.token->cancelled()))
      self_->enqueue(std::move(one.what), self_->context());
    else
      held_.push_back(std::move(one));
}

/// The last server that served is gone, or says nothing. What is known of the others may be old.
void circuit_breaker_impl::look_at_failed(const std::vector<breaker_change>& just_found_out) {
  const auto at = env_->clock->now();
  auto whom = router_.failed_before(at);
  std::erase_if(whom, [&](server_id id) {
    return std::any_of(just_found_out.begin(), just_found_out.end(),
                       [&](const breaker_change& c) { return c.server == id; });
  });
  if (!draining_ && caf::actor_cast<health_monitor_actor>(monitor_) &&
      look_.begin(whom, all_->breaker.suspect_after, at))
    for (const auto id : whom) have_probed(id);
}

/// Nothing that is known to serve would take the place of that silent server: perhaps one would that failed before.
void circuit_breaker_impl::look_for_others(server_id silent) {
  if (!router_.replaceable(silent, env_->clock->now())) look_at_failed({});
}

/// Another server lives after all: those that are silent need not be given the time of one that nothing can replace.
void circuit_breaker_impl::hurry_suspects() {
  const auto at = env_->clock->now();
  for (const auto id : router_.suspects(at))
    if (router_.replaceable(id, at)) have_probed(id);
}

void circuit_breaker_impl::forward_cancel(const cancel_token_ptr& token) {
  if (!token) return;
  if (!held_.empty()) release_held(false);
  if (const auto index = router_.index_of(token->server()))
    caf::anon_send(servers_[*index].pool, cancel_atom_v, token);
  else if (const auto pool = removed_pool(token->server()))
    caf::anon_send(pool, cancel_atom_v, token);
}

/// That of a server that was taken out and is not drained yet, or null.
pool_actor circuit_breaker_impl::removed_pool(server_id server) const {
  const auto left = removed_.find(server);
  return caf::actor_cast<pool_actor>(left == removed_.end() ? caf::actor_addr{} : left->second);
}

void circuit_breaker_impl::take_servers(std::vector<routed_server> servers) {
  servers.erase(
      std::remove_if(servers.begin(), servers.end(), [](const routed_server& s) { return !s.context || !s.pool; }),
      servers.end());
  if (!servers.empty() && servers.front().context->all) {
    all_ = servers.front().context->all;
    router_.configure(options_of(*all_));
  }
  std::vector<server_facts> facts;
  most_attempts_ = 0;
  for (const auto& s : servers) {
    facts.push_back(facts_of(*s.context));
    const auto attempts = std::clamp(s.context->server.max_retries, 0, int{std::numeric_limits<std::uint16_t>::max()});
    most_attempts_ = std::max(most_attempts_, static_cast<std::uint16_t>(attempts));
  }
  router_.update(std::move(facts), env_->clock->now());
  remember_removed(servers);
  servers_ = std::move(servers);
  serving_ = router_.any_usable(env_->clock->now());
  tell_stand_ins();
  release_held(true);
  arm();
}

/// A server that left finishes what it has, and that may still be cancelled.
void circuit_breaker_impl::remember_removed(const std::vector<routed_server>& next) {
  const auto stays = [&](server_id id) {
    return std::any_of(next.begin(), next.end(), [&](const routed_server& s) { return s.context->id == id; });
  };
  std::erase_if(removed_, [](const auto& left) { return !caf::actor_cast<caf::strong_actor_ptr>(left.second); });
  for (const auto& s : servers_) {
    if (!stays(s.context->id)) {
      removed_[s.context->id] = s.pool.address();
      leave_what_is_silent(s.context->id);
    }
  }
}

/// When the last server fails, there may be others by now. When one is back, those who wait go on.
void circuit_breaker_impl::note_service(const std::vector<breaker_change>& changes) {
  if (serving_ && changes.empty()) return;
  const bool before = std::exchange(serving_, router_.any_usable(env_->clock->now()));
  if (before && !serving_) {
    if (const auto finder = caf::actor_cast<connection_manager_actor>(finder_)) caf::anon_send(finder, discover_atom_v);
    look_at_failed(changes);
  }
  const bool closed = std::any_of(changes.begin(), changes.end(),
                                  [](const breaker_change& c) { return c.state == breaker_state::closed; });
  if (closed || (serving_ && !before)) ++*env_->returns;
}

void circuit_breaker_impl::take_monitor(const caf::actor_addr& monitor) {
  monitor_ = monitor;
  router_.set_probed(caf::actor_cast<health_monitor_actor>(monitor) ? true : false);
  told_ = {};  // as a monitor begins
  tell_stand_ins();
}

void circuit_breaker_impl::on_report(const outcome_report& report) {
  const bool news = report.successes > 0 && note_liveness(report.server);
  if (report.failed && report.cause && counts_against_server(*report.failed))
    availability_.note_failure(report.server, report.cause, env_->clock->now());
  // Who serves may also change without a change of a breaker's state: silence puts a server last.
  change([&](const moment& at) { router_.on_report(report, at); }, news || report.silent || report.ready);
  // A lost connection may be all that is wrong, or the first sign of a server's death: a probe tells within
  // milliseconds, before callers have waited for connects in vain. Where there is no other server they wait.
  if ((report.silent || report.failed == failure_class::transport) &&
      router_.replaceable(report.server, env_->clock->now()))
    probe_if_new_suspect(report.server);
  if (report.silent) look_for_others(report.server);
}

void circuit_breaker_impl::on_probe(const probe_report& report) {
  const bool news = report.ok && note_liveness(report.server);
  const bool looked_at = look_.under_way(env_->clock->now());
  look_.heard(report.server, verdict(report) == probe_verdict::alive, env_->clock->now());
  if (change([&](const moment& at) { return router_.on_probe(report, at); }, news)) have_probed(report.server);
  if (looked_at && verdict(report) == probe_verdict::alive) hurry_suspects();
  // What the pool was kept waiting for before may be begun anew, though the breaker knew of no failure.
  const auto index = router_.index_of(report.server);
  if (index && verdict(report) == probe_verdict::alive && router_.state_of(*index) == breaker_state::closed)
    caf::anon_send(servers_[*index].pool, breaker_atom_v, breaker_state::closed);
}

/// True when it is news for the log that the server answered.
bool circuit_breaker_impl::note_liveness(server_id server) {
  return router_.index_of(server) && availability_.note_liveness(server);
}

void circuit_breaker_impl::on_suspect(server_id server) {
  if (probe_if_new_suspect(server)) return look_for_others(server);
  // Known to fail already: its pool ends what has fallen silent since. That of a server that was taken out does so too,
  // which nobody probes any more, while there is somewhere else to go.
  const auto index = router_.index_of(server);
  if (index && router_.state_of(*index) != breaker_state::closed)
    caf::anon_send(servers_[*index].pool, breaker_atom_v, router_.state_of(*index));
  else if (!index)
    leave_what_is_silent(server);
}

/// That server was taken out. Its pool gives up silent connections, leased ones too; tells it again if it was told
/// before.
void circuit_breaker_impl::leave_what_is_silent(server_id removed) {
  if (draining_ || !router_.replaceable(removed, env_->clock->now())) return;
  if (const auto pool = removed_pool(removed)) caf::anon_send(pool, breaker_atom_v, breaker_state::open);
}

bool circuit_breaker_impl::probe_if_new_suspect(server_id server) {
  if (!router_.suspect(server, env_->clock->now())) return false;
  have_probed(server);
  return true;
}

void circuit_breaker_impl::have_probed(server_id server) {
  tell_stand_ins();  // time alone may have changed them
  if (const auto monitor = caf::actor_cast<health_monitor_actor>(monitor_))
    caf::anon_send(monitor, probe_atom_v, server);
}

/// Lets `how` change the router, then tells everyone what came of it and sets the timer. `news`: the log may have
/// something to say although no breaker changes. What `how` returns, if it does.
template <class Change>
bool circuit_breaker_impl::change(Change&& how, bool news) {
  bool answer = true;
  if constexpr (std::is_same_v<decltype(how(moment{})), bool>)
    answer = how(now());
  else
    how(now());
  const auto changes = router_.take_changes();
  for (const auto& c : changes) announce(c);
  tell_stand_ins();
  note_service(changes);
  release_held(false);
  if (news || !changes.empty() || availability_.next_event() <= env_->clock->now())
    tell_availability();
  else
    arm();
  return answer;
}

void circuit_breaker_impl::announce(const breaker_change& c) {
  const auto& server = servers_[c.index];
  caf::anon_send(server.pool, breaker_atom_v, c.state);
  if (const auto monitor = caf::actor_cast<health_monitor_actor>(monitor_))
    caf::anon_send(monitor, breaker_atom_v, c.server, c.state);
}

/// The monitor probes by the same rule as what it finds is judged by here.
void circuit_breaker_impl::tell_stand_ins() {
  const auto monitor = caf::actor_cast<health_monitor_actor>(monitor_);
  const auto found = router_.stand_ins_at(env_->clock->now());
  if (!monitor || found == told_) return;
  told_ = found;
  caf::anon_send(monitor, breaker_atom_v, found);
}

void circuit_breaker_impl::tell_availability() {
  const auto at = now();
  availability_.update(router_.availability(at.now), all_->failover.auto_failback, at);
  for (const auto& line : availability_.take_lines()) env_->log->write(line.level, "breaker", line.text, line.more);
  arm();
}

void circuit_breaker_impl::arm() {
  auto next = std::min(router_.next_event(), availability_.next_event());
  for (const auto& one : held_) next = std::min(next, one.until);
  timer_.arm(next);
}

circuit_breaker_actor spawn_circuit_breaker(caf::actor_system& system, environment_ptr env, settings_ptr all,
                                            std::vector<routed_server> servers) {
  auto poller = env->poller;
  return spawn_shell_on_poller<circuit_breaker_actor, circuit_breaker_impl>(system, std::move(poller), std::move(env),
                                                                            std::move(all), std::move(servers));
}

}  // namespace understudy::internal
