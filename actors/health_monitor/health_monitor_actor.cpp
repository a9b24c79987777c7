// Probes servers on schedule and on demand, and tells the breaker what was found.
#include "understudy/actors/health_monitor/health_monitor_actor.hpp"

#include "understudy/actors/ports/actor_shell.hpp"
#include "understudy/config/reload.hpp"
#include "understudy/config/settings_from.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include <algorithm>

namespace understudy::internal {
namespace {

/// The longest that a probe on schedule may take.
constexpr seconds longest_probe{5};
/// The answer to a question for all needs a moment on its way.
constexpr milliseconds answer_time{100};
/// A silent server has to answer within this fraction of `suspect_after`: checked on the standing connection, …
constexpr double check_fraction = 0.3;
/// … or connected to anew: with the silence itself that makes less than a second and a half by default.
constexpr double connect_fraction = 0.45;
constexpr milliseconds shortest_suspicion{20}, longest_suspicion{500};
/// With fewer sockets a standing connection would take too large a share; with fewer than two any probe would.
constexpr int enough_to_keep = 4, enough_to_take = 2;

schedule_options options_of(const settings& all) {
  schedule_options o;
  o.healthy = all.failover.health_check_interval;
  o.unhealthy_base = std::min(o.unhealthy_base, o.healthy);
  o.unhealthy_cap = std::min(o.unhealthy_cap, o.healthy);
  return o;
}

/// Without a pool there is the one connection that requests need, and none beside it.
int sockets_of(const server_context& context) {
  if (!context.all) return context.server.max_pool_size;
  const auto pool = pool_for(*context.all, context.server);
  return pool.use_pool ? pool.max_connections : 1;
}

bool timed_out(const probe_report& found) {
  const auto code = found.error ? found.error->code : errc::none;
  return found.hurried || code == errc::connection_timeout || code == errc::operation_timeout;
}

duration suspicion_limit(const settings& all, double fraction) {
  const auto part = std::chrono::duration<double>(all.breaker.suspect_after) * fraction;
  return std::clamp<duration>(std::chrono::duration_cast<duration>(part), shortest_suspicion, longest_suspicion);
}

}  // namespace

health_monitor_impl::health_monitor_impl(health_monitor_actor::pointer self, environment_ptr env, settings_ptr all,
                                         std::vector<routed_server> servers, connection_factory factory,
                                         caf::actor_addr breaker, caf::actor_addr manager)
    : self_(self),
      env_(std::move(env)),
      all_(std::move(all)),
      breaker_(breaker),
      random_(make_random(env_->seed ^ self->id())),
      guard_(*self, env_, "health monitor", [this] { arm(); }),
      prober_(
          self, env_, [this](const std::function<void()>& body) { handle(body); }, std::move(factory),
          std::move(breaker), std::move(manager)),
      timer_(env_->poller, self->address()) {
  take_servers(std::move(servers));
  arm();
}

health_monitor_actor::behavior_type health_monitor_impl::make_behavior() {
  self_->set_down_handler([this](caf::down_msg& down) { handle([&] { prober_.on_down(down.source); }); });
  return {
      [this](probe_atom, server_id server) { handle([&] { probe_at_once(server); }); },
      [this](health_atom, time_point deadline) {
        return guard_.answer<std::vector<probe_report>>([&] { return probe_all(std::nullopt, deadline); });
      },
      [this](health_atom, int priority, time_point deadline) {
        return guard_.answer<std::vector<probe_report>>([&] { return probe_all(priority, deadline); });
      },
      [this](breaker_atom, server_id server, breaker_state state) { handle([&] { on_breaker(server, state); }); },
      [this](breaker_atom, const stand_ins& found) { stand_ins_ = found; },
      [this](event_atom, const connection_event& event) { handle([&] { prober_.on_event(event); }); },
      [this](slot_atom, server_id server) { handle([&] { let_go(server); }); },
      [this](servers_atom, std::vector<routed_server>& servers) { handle([&] { take_servers(std::move(servers)); }); },
      [this](drain_atom) { handle([&] { drain(); }); },
      [this](tick_atom, std::uint64_t timer) {
        if (timer_.fired(timer)) handle([&] { advance(); });
      },
  };
}

/// The body of a handler that answers nobody; what it changed may move the timer.
template <class Body>
void health_monitor_impl::handle(Body&& body) {
  guard_.run([&] {
    body();
    arm();
  });
}

void health_monitor_impl::take_servers(std::vector<routed_server> servers) {
  if (!servers.empty() && servers.front().context->all) all_ = servers.front().context->all;
  const auto options = options_of(*all_);
  std::vector<monitored_server> next;
  std::vector<server_id> begun_anew;
  for (auto& s : servers) {
    auto* known = find(s.context->id);
    if (known == nullptr) {
      const auto id = s.context->id;
      const auto session = prober_.add(s, false, [this, id](const probe_outcome* o) { on_outcome(id, o); });
      next.push_back({std::move(s), probe_schedule{options, random_, now()}, session});
      continue;
    }
    known->schedule.configure(options, now());
    const auto& was = *known->server.context;
    const bool renew = was.all && !same_connection(was.server, *was.all, s.context->server, *s.context->all);
    prober_.update(known->session, s);
    if (renew) {
      // What a probe with the old values finds says nothing of the new ones, and what it keeps open has those.
      if (prober_.session(known->session).running()) begun_anew.push_back(s.context->id);
      prober_.stop(known->session, false);
      stop_beside(*known);
    }
    if (all_->pool.max_lifetime > duration::zero())
      known->keep_until = std::min(known->keep_until, now() + all_->pool.max_lifetime);
    known->server = std::move(s);
    next.push_back(*known);
    known->session = 0;
  }
  for (const auto& gone : std::exchange(monitored_, std::move(next))) {
    if (gone.session != 0) {
      prober_.stop(gone.session, true);
      prober_.stop(gone.beside, true);
    }
  }
  for (const auto id : begun_anew) {
    auto& monitored = *find(id);
    monitored.asked ? probe_at_once(id) : begin(monitored, patience_of(monitored), false);
  }
}

health_monitor_impl::monitored_server* health_monitor_impl::find(server_id server) {
  const auto found = std::find_if(monitored_.begin(), monitored_.end(), [&](const monitored_server& monitored) {
    return monitored.server.context->id == server;
  });
  return found == monitored_.end() ? nullptr : &*found;
}

void health_monitor_impl::begin(monitored_server& monitored, duration within, bool hurried) {
  const int sockets = sockets_of(*monitored.server.context);
  if (!prober_.session(monitored.session).standing()) {
    monitored.keep_until =
        all_->pool.max_lifetime > duration::zero() ? now() + all_->pool.max_lifetime : time_point::max();
  }
  probe_mode mode;
  // As pooled connections do, it ends with its lifetime: so it follows a name's address and the service's credentials.
  mode.keep = sockets >= enough_to_keep && monitored.schedule.breaker_closed() && now() < monitored.keep_until;
  mode.use_slot = sockets >= enough_to_take || !monitored.schedule.breaker_closed();
  mode.hurried = hurried;
  mode.content = !replaceable(monitored);
  mode.pool_time = std::max<duration>(longest_probe, monitored.server.context->pace->patience(true));
  prober_.begin(monitored.session, now() + within, mode);
  monitored.beside_at = now() + time_beside(monitored);
}

/// When a running probe of a server that failed has been silent for long enough. It may have begun before the server
/// was repaired, and then is never answered: short ones beside it find out, while it goes on for the case that the
/// server is slow.
time_point health_monitor_impl::beside_due(const monitored_server& monitored) const {
  const bool wanted = !draining_ && !monitored.schedule.breaker_closed() && monitored.beside == 0;
  return wanted && prober_.session(monitored.session).running() ? monitored.beside_at : time_point::max();
}

void health_monitor_impl::begin_beside(monitored_server& monitored) {
  const auto told = [this, id = monitored.server.context->id](const probe_outcome* o) {
    if (o != nullptr) on_beside(id, *o);
  };
  monitored.beside = prober_.add(monitored.server, true, told);
  probe_mode mode;
  mode.use_slot = sockets_of(*monitored.server.context) >= enough_to_take;
  mode.hurried = true;
  prober_.begin(monitored.beside, now() + time_beside(monitored), mode);
}

/// Silence is judged by what is usual here too: a server that takes its time is asked for no other connection
/// meanwhile.
duration health_monitor_impl::time_beside(const monitored_server& monitored) const {
  return std::max<duration>(all_->breaker.suspect_after, monitored.server.context->pace->patience(false));
}

void health_monitor_impl::on_beside(server_id server, const probe_outcome& found) {
  auto* monitored = find(server);
  if (monitored == nullptr) return;
  monitored->beside = 0;
  monitored->beside_at = now() + options_of(*all_).unhealthy_base;
  if (!found.conclusive || verdict(found.report) != probe_verdict::alive) return;
  if (prober_.session(monitored->session).running()) prober_.stop(monitored->session, false);
  on_outcome(server, &found);
}

void health_monitor_impl::stop_beside(monitored_server& monitored) {
  prober_.stop(std::exchange(monitored.beside, 0), true);
}

void health_monitor_impl::probe_at_once(server_id server) {
  auto* monitored = find(server);
  if (monitored == nullptr || draining_) return;
  monitored->asked = true;
  monitored->asked_late = prober_.session(monitored->session).running();
  if (!replaceable(*monitored)) return begin(*monitored, patience_of(*monitored), false);
  const auto& session = prober_.session(monitored->session);
  const auto limit =
      suspicion_limit(*all_, session.standing() || session.running() ? check_fraction : connect_fraction);
  // Only answers tell that a server is slow: what a connect takes is our own work too, in TLS most of it.
  const auto& pace = *monitored->server.context->pace;
  const bool slow = pace.patience(true) > limit;
  begin(*monitored,
        slow ? std::max(limit, std::min(pace.patience(session.standing()), all_->breaker.slow_call)) : limit, true);
}

/// Of a probe that nobody is in a hurry for; a server that is usually slow has longer.
duration health_monitor_impl::patience_of(const monitored_server& monitored) const {
  const auto& context = *monitored.server.context;
  return std::max(std::min<duration>(context.server.timeout, longest_probe),
                  context.pace->patience(prober_.session(monitored.session).standing()));
}

caf::result<std::vector<probe_report>> health_monitor_impl::probe_all(std::optional<int> preferred,
                                                                      time_point deadline) {
  if (draining_) return to_error(make_failure(runtime_stopping(stage::operation, "it probes no servers")));
  if (monitored_.empty()) return std::vector<probe_report>{};
  const auto left = std::max<duration>(deadline - now(), duration{});
  const auto conclude_by = deadline - std::min<duration>(left / 10, answer_time);
  auto promise = self_->make_response_promise<std::vector<probe_report>>();
  if (const auto joined = under_way(preferred, conclude_by)) {
    joined->promises.push_back(promise);
    return promise;
  }
  auto asker = std::make_shared<round>();
  asker->conclude_by = conclude_by;
  asker->parts.resize(monitored_.size());
  if (preferred) {
    asker->preferred = preferred;
    asker->enough_at = now() + all_->breaker.suspect_after;
  }
  asker->promises.push_back(promise);
  rounds_.push_back(asker);
  // The pools answer for a socket later: none ends before all have begun.
  for (std::size_t i = 0; i < monitored_.size(); ++i) {
    auto& part = asker->parts[i];
    part.report.server = monitored_[i].server.context->id;
    part.priority = monitored_[i].server.context->server.priority;
    part.probe =
        prober_.add(monitored_[i].server, true, [this, asker, i](const probe_outcome* o) { note_round(asker, i, *o); });
    probe_mode mode;
    mode.hurried = true;
    mode.patient = true;
    prober_.begin(part.probe, conclude_by, mode);
  }
  arm();
  return promise;
}

/// A round that answers that question in time, and gives servers at least half as long as one of its own would: however
/// many ask at a time, servers are not probed for each of them.
health_monitor_impl::round_ptr health_monitor_impl::under_way(std::optional<int> preferred,
                                                              time_point conclude_by) const {
  const auto found = std::find_if(rounds_.begin(), rounds_.end(), [&](const round_ptr& each) {
    return each->preferred == preferred && each->conclude_by <= conclude_by &&
           (each->conclude_by - now()) * 2 >= conclude_by - now();
  });
  return found == rounds_.end() ? nullptr : *found;
}

void health_monitor_impl::note_round(const round_ptr& asker, std::size_t place, const probe_outcome& found) {
  auto& part = asker->parts[place];
  part.report = found.report;
  part.ended = true;
  if (verdict(found.report) == probe_verdict::dead) {
    // The one who asked may have been in a hurry: no evidence for the breaker, but a reason to look.
    if (auto* monitored = find(found.report.server)) monitored->schedule.hasten(now());
  }
  if (knows_enough(*asker)) end_round(asker);
}

bool health_monitor_impl::knows_enough(const round& asker) const {
  const auto well = [&](const round::part& p) {
    return p.ended && p.report.ok && (p.priority == asker.preferred || now() >= asker.enough_at);
  };
  const auto ended = [](const round::part& p) { return p.ended; };
  return (asker.preferred && std::any_of(asker.parts.begin(), asker.parts.end(), well)) ||
         std::all_of(asker.parts.begin(), asker.parts.end(), ended);
}

void health_monitor_impl::end_round(const round_ptr& asker) {
  if (asker->promises.empty()) return;
  std::vector<probe_report> reports;
  for (auto& part : asker->parts)
    if (part.ended) reports.push_back(part.report);
  for (auto& promise : std::exchange(asker->promises, {})) promise.deliver(reports);
  rounds_.erase(std::remove(rounds_.begin(), rounds_.end(), asker), rounds_.end());
  for (const auto& part : asker->parts)
    if (!part.ended) prober_.stop(part.probe, true);
}

void health_monitor_impl::on_breaker(server_id server, breaker_state state) {
  auto* monitored = find(server);
  if (monitored == nullptr) return;
  monitored->schedule.on_breaker(state, now());
  if (state == breaker_state::suspended) {
    monitored->asked = false;
    prober_.stop(monitored->session, false);
    stop_beside(*monitored);
  } else if (state == breaker_state::open && prober_.session(monitored->session).standing()) {
    prober_.retire(monitored->session);
  }
  advance();
}

/// Of a regular session: a probe ended, or (null) its standing connection did.
void health_monitor_impl::on_outcome(server_id server, const probe_outcome* found) {
  auto* monitored = find(server);
  if (monitored == nullptr) return;
  if (found == nullptr) {
    monitored->schedule.hasten(now());
    return;
  }
  if (!found->conclusive) {
    monitored->schedule.on_nothing(now());
    if (monitored->asked) monitored->schedule.hasten(now());  // whoever asked is still to be answered
    return;
  }
  monitored->server.context->checks->note(found->report, env_->clock->wall_now());
  const bool alive = verdict(found->report) == probe_verdict::alive;
  // It had begun before requests were left unanswered, and asked for nothing that tells whether those are answered.
  if (alive && monitored->asked && monitored->asked_late && monitored->server.context->unanswered->question())
    return probe_at_once(server);
  // What ended a probe that had begun before may be just what made somebody ask: another one decides.
  if (std::exchange(monitored->asked_late, false) && monitored->asked && !alive && !timed_out(found->report)) {
    monitored->schedule.hasten(now());
    return;
  }
  const bool asked = std::exchange(monitored->asked, false);
  if (!monitored->schedule.on_result(alive, asked, now())) return;
  if (const auto breaker = caf::actor_cast<circuit_breaker_actor>(breaker_))
    caf::anon_send(breaker, probe_atom_v, found->report);
}

/// Somebody waits for the socket; what is open there tells as well whether the server lives.
void health_monitor_impl::let_go(server_id server) {
  if (const auto* monitored = find(server)) prober_.retire(monitored->session);
}

void health_monitor_impl::drain() {
  draining_ = true;
  prober_.stop_all();
  for (const auto& asker : std::exchange(rounds_, {}))
    for (auto& promise : std::exchange(asker->promises, {}))
      promise.deliver(to_error(make_failure(runtime_stopping(stage::operation, "the probes were given up"))));
}

void health_monitor_impl::advance() {
  prober_.advance();
  for (const auto& asker : std::vector<round_ptr>{rounds_})
    if (knows_enough(*asker)) end_round(asker);
  for (auto& monitored : monitored_) {
    if (!draining_ && monitored.schedule.next() <= now() && !prober_.session(monitored.session).running()) {
      // Who asked, and was told nothing yet, is still in a hurry.
      monitored.asked ? probe_at_once(monitored.server.context->id) : begin(monitored, patience_of(monitored), false);
    }
    if (beside_due(monitored) <= now()) begin_beside(monitored);
  }
}

void health_monitor_impl::arm() {
  auto next = prober_.next_deadline();
  for (const auto& asker : rounds_)
    if (asker->enough_at > now()) next = std::min(next, asker->enough_at);
  for (const auto& monitored : monitored_) {
    if (!draining_ && !prober_.session(monitored.session).running()) next = std::min(next, monitored.schedule.next());
    next = std::min(next, beside_due(monitored));
  }
  timer_.arm(next);
}

health_monitor_actor spawn_health_monitor(caf::actor_system& system, environment_ptr env, settings_ptr all,
                                          std::vector<routed_server> servers, connection_factory factory,
                                          caf::actor_addr breaker, caf::actor_addr manager) {
  return spawn_shell<health_monitor_actor, health_monitor_impl>(system, std::move(env), std::move(all),
                                                                std::move(servers), std::move(factory),
                                                                std::move(breaker), std::move(manager));
}

}  // namespace understudy::internal
