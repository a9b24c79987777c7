// Connections that are made up: see made_up_connection.hpp.
#include "made_up_connection.hpp"

#include "understudy/actors/ports/guard.hpp"
#include "understudy/config/endpoint.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace understudy::test {
namespace {

using kind = connection_event::kind;

failure_ptr made_up_failure(errc code, stage where, const std::string& server, int ldap_code = 0) {
  failure f;
  f.code = code;
  f.where = where;
  f.server = server;
  f.ldap_code = ldap_code;
  f.message = "made up";
  return std::make_shared<const failure>(std::move(f));
}

struct made_up_state {
  using pointer = connection_actor::stateful_pointer<made_up_state>;
  explicit made_up_state(pointer owner) : self(owner) {}
  ~made_up_state() {
    if (!world) return;
    world->live.erase(spec.id);
    if (connecting) --server().connecting;
    if (was_ready && !closed) count_open(-1);
    env().poller->remove_timer(timer);
  }

  struct operation {
    caf::typed_response_promise<result_ptr> promise;
    call order;
    lease_id lease = 0;
    time_point since{};
    bool slow = false;
  };
  struct reading {
    caf::typed_response_promise<probe_report> promise;
    time_point deadline{};
    time_point since{};
    request_ptr asked{};  ///< beside the root DSE
  };

  const environment& env() const { return *spec.context->env; }
  made_up_server& server() const { return world->servers[spec.context->id]; }
  time_point now() const { return env().clock->now(); }
  bool hangs_on(const request_ptr& request) const {
    const auto* search = request ? std::get_if<search_request>(&request->op) : nullptr;
    const bool reads = search != nullptr && search->scope == search_scope::base && server().reads_entries;
    return server().hangs_requests && request && !reads;
  }
  failure_ptr failed(errc code, stage where = stage::operation) const {
    return made_up_failure(code, where, spec.context->name);
  }

  // Life.

  connection_actor::behavior_type start(connection_spec given, std::shared_ptr<directory_world> around) {
    spec = std::move(given);
    world = std::move(around);
    install_default_handlers(*self);
    // Nobody else would end it.
    self->set_down_handler([this](const caf::down_msg&) {
      end(nullptr);
      removed = true;
      quit_if_done();
    });
    if (spec.owner) self->monitor(spec.owner);
    timer = env().poller->add_timer(self->address());
    cuts = server().cuts;
    world->live[spec.id] = {spec.context->id, self->address()};
    ++world->opened;
    server().connects.push_back(now());
    server().most_connecting = std::max(server().most_connecting, ++server().connecting);
    connecting = true;
    hangs = server().hangs_set_ups;
    spec.load->awaited_since = now();
    connect_until = now() + spec.context->server.timeout;
    ready_at = now() + server().connect_time;
    if (!server().accepts || server().open + server().connecting > server().limit)
      end(failed(errc::connection_failed, stage::connect));
    else
      on_time();
    return make_behavior();
  }

  void count_open(int more) {
    server().open += more;
    if (spec.kind == connection_kind::probe) server().probes_open += more;
  }

  void connected() {
    connecting = false;
    --server().connecting;
  }

  void authenticate() {
    ready_at = time_point::max();
    const auto manager = caf::actor_cast<connection_manager_actor>(spec.manager);
    if (!manager) return end(failed(errc::stopped));
    spec.load->awaited_since = time_point::max();
    spec.load->held_up = true;
    waits_for_credential = true;
    if (binds(spec.context->server) && waits_since == time_point{}) check_liveness_at = now() + milliseconds{50};
    if (waits_since == time_point{}) waits_since = now();
    self->request(manager, seconds{40}, credential_atom_v, spec.context->id)
        .then(
            [this](const credential& given) {
              waits_for_credential = false;
              if (waits_for_liveness && !closed) {
                if (given.version != 0) pass_verdict(given.version, credential_verdict::kind::unknown, nullptr);
                return;
              }
              check_liveness_at = time_point::max();
              spec.load->held_up = now() > waits_since;
              spec.load->awaited_since = now();
              bind(given);
            },
            [this](caf::error& e) {
              waits_for_credential = false;
              end(failure_of(e));
              quit_if_done();
            });
  }

  /// Who waits for the credentials asks meanwhile whether the server lives.
  void check_liveness() {
    check_liveness_at = time_point::max();
    if (server().paused || server().answer_time > duration::zero()) {
      waits_for_liveness = true;
      liveness_asked_at = now();
      spec.load->held_up = false;
      spec.load->awaited_since = now();
    }
  }

  void liveness_answered() {
    waits_for_liveness = false;
    spec.load->held_up = true;
    spec.load->awaited_since = time_point::max();
    if (!waits_for_credential) authenticate();
  }

  void bind(const credential& given) {
    if (closed) {
      if (given.version != 0) pass_verdict(given.version, credential_verdict::kind::unknown, nullptr);
      return quit_if_done();
    }
    ++world->binds;
    binding = given;
    hangs = server().hangs_at_bind && server().hangs_set_ups;
    bound_at = now() + server().answer_time;
    give_up_at = now() + spec.context->server.timeout;
    on_time();
  }

  void bind_answered() {
    const auto given = std::move(*std::exchange(binding, std::nullopt));
    spec.context->pace->answered(server().answer_time);
    if (given.version == 0) return become_ready();
    const bool right = given.password.reveal() == world->password;
    failure_ptr cause;
    if (!right) cause = made_up_failure(errc::service_authentication_failed, stage::bind, spec.context->name, 49);
    pass_verdict(given.version, right ? credential_verdict::kind::accepted : credential_verdict::kind::refused, cause);
    right ? become_ready() : end(cause);
  }

  /// Everyone who got a credential says what became of it.
  void pass_verdict(std::uint64_t version, credential_verdict::kind verdict, failure_ptr cause) {
    credential_verdict v;
    v.server = spec.context->id;
    v.version = version;
    v.what = verdict;
    v.cause = std::move(cause);
    if (const auto manager = caf::actor_cast<connection_manager_actor>(spec.manager))
      self->send(manager, credential_atom_v, v);
  }

  void become_ready() {
    connected();
    was_ready = true;
    ready_since = now();
    count_open(1);
    spec.context->pace->connected(server().connect_time + server().answer_time);
    say(kind::ready, nullptr);
  }

  void say(kind event_kind, failure_ptr cause) {
    connection_event event{spec.id, event_kind, std::move(cause)};
    if (spec.kind == connection_kind::probe) {
      if (const auto owner = caf::actor_cast<health_monitor_actor>(spec.owner)) self->send(owner, event_atom_v, event);
    } else if (const auto owner = caf::actor_cast<pool_actor>(spec.owner)) {
      self->send(owner, event_atom_v, event);
    }
  }

  /// `cause` null: it was asked to.
  void end(failure_ptr cause) {
    if (std::exchange(closed, true)) return;
    waits_for_liveness = false;
    check_liveness_at = time_point::max();
    if (connecting) connected();
    if (was_ready) ++world->closed, count_open(-1);
    if (was_ready && cause) {
      if (open.empty())
        have_server_probed();
      else
        report(0, false, classify(*cause), cause, ready_since);
    }
    if (binding && binding->version != 0) pass_verdict(binding->version, credential_verdict::kind::unknown, cause);
    say(was_ready ? kind::closed : kind::failed, cause);
    why = cause ? cause : failed(errc::connection_failed);
    for (auto& r : std::exchange(readings, {})) r.promise.deliver(unwell(why));
    for (auto& one : std::exchange(open, {})) lose(std::move(one));
  }

  /// The cut ended all connections in one moment, also those that have not heard of it yet.
  void end_with_cut() {
    if (cuts != server().cuts) end(failed(errc::connection_failed));
  }

  void quit_if_done() {
    if (removed && forgotten.empty() && !waits_for_credential) self->quit();
  }

  void drain_now() {
    draining = true;
    if (open.empty() && leased == 0 && !world->mute_drain) end(nullptr);
  }

  // Operations.

  caf::result<result_ptr> perform(const call& c, lease_id lease) {
    operation one{self->make_response_promise<result_ptr>(), c, lease, now(), false};
    auto promise = one.promise;
    end_with_cut();
    if (closed || (draining && lease == 0)) {
      if (!why) why = failed(errc::connection_failed);
      redispatch(std::move(one));
    } else if (c.token && c.token->cancelled()) {
      settle(one, failed(errc::cancelled), failure_class::caller);
    } else if (server().busy && !server().paused && !std::holds_alternative<bind_request>(c.what->op)) {
      refuse_as_busy(std::move(one));
    } else {
      if (!safe_to_repeat(c.what->op)) ++world->sent[c.what];
      open.push_back(std::move(one));
      if (server().loses_requests) return end(failed(errc::connection_failed)), promise;
      server().paused || server().hangs_requests || server().answer_time > duration::zero() ? on_time() : answer_all();
    }
    return promise;
  }

  void answer_all() {
    for (auto& one : std::exchange(open, {})) {
      auto r = std::make_shared<result>();
      r->server = spec.context->name;
      report_success(one);
      spec.context->unanswered->answered(one.order.what->op, now());
      count(one);
      one.promise.deliver(r);
    }
    for (auto& r : std::exchange(readings, {})) {
      if (r.asked) spec.context->unanswered->question_answered(r.asked, now());
      r.promise.deliver(well());
    }
    spec.load->silent = false;
    heard_at = now();
    suspected = false;
    if (draining) drain_now();
  }

  /// What a slow server owes by now.
  void answer_due() {
    if (server().paused || server().answer_time == duration::zero() || closed || connecting) return;
    const auto due = [&](time_point since) { return now() >= since + server().answer_time; };
    const bool hung = server().hangs_requests;
    auto waiting = std::exchange(open, {});
    for (auto& one : waiting)
      if (hung || !due(one.since)) open.push_back(one);
    std::erase_if(waiting, [&](const operation& task) { return hung || !due(task.since); });
    std::swap(waiting, open);
    auto read = std::exchange(readings, {});
    const auto answers = [&](const reading& r) { return due(r.since) && !hangs_on(r.asked); };
    for (auto& r : read)
      if (answers(r)) readings.push_back(r);
    std::erase_if(read, answers);
    if (!open.empty() || !readings.empty()) {
      if (!readings.empty()) spec.context->pace->answered(server().answer_time);
      answer_all();
    }
    if (closed) return;
    open = std::move(waiting);
    readings = std::move(read);
  }

  void count(const operation& task) {
    if (task.lease != 0 || closed) return;
    spec.load->completed.fetch_add(1);
    if (!spec.load->wanted.exchange(false)) return;
    if (const auto owner = caf::actor_cast<pool_actor>(spec.owner)) self->send(owner, load_atom_v, spec.id);
  }

  void settle(operation& task, failure_ptr cause, failure_class failure_kind) {
    if (task.order.trial || failure_kind != failure_class::caller)
      report(task.order.generation, task.order.trial, failure_kind, cause);
    count(task);
    task.promise.deliver(to_error(std::move(cause)));
  }

  void lose(operation task) {
    if (world->forgets_the_dead) return forgotten.push_back(task.promise);
    const bool unknown = !safe_to_repeat(task.order.what->op) && !world->repeats_writes;
    if (task.lease == 0 && !unknown) return redispatch(std::move(task));
    settle(task, failed(unknown ? errc::outcome_unknown : errc::connection_unhealthy), failure_class::caller);
  }

  failure_ptr busy() const { return made_up_failure(errc::ldap_error, stage::operation, spec.context->name, 51); }

  void refuse_as_busy(operation task) {
    const bool elsewhere = task.lease == 0 && safe_to_repeat(task.order.what->op) &&
                           task.order.attempts < spec.context->server.max_retries &&
                           task.order.attempts + 1U < spec.context->all->servers.size();
    if (!elsewhere || !(task.order.trial || world->retries.spend()))
      return settle(task, busy(), failure_class::overload);
    report(task.order.generation, task.order.trial, failure_class::overload, busy());
    task.order.trial = false;
    redispatch(std::move(task), busy());
  }

  /// The end of a test with a forgetful connection.
  void remember() {
    for (auto& promise : std::exchange(forgotten, {})) promise.deliver(to_error(why));
    self->quit();
  }

  void redispatch(operation task) { redispatch(std::move(task), why); }
  void redispatch(operation task, const failure_ptr& cause) {
    const auto router = caf::actor_cast<circuit_breaker_actor>(spec.breaker);
    if (!router || task.lease != 0 || task.order.attempts >= spec.context->server.max_retries ||
        task.order.deadline <= now())
      return settle(task, cause, failure_class::caller);
    if (task.order.trial) report(task.order.generation, true, classify(*cause), cause);
    count(task);
    ++task.order.attempts;
    task.order.tried.insert(spec.context->id);
    task.order.last = cause;
    task.order.trial = false;
    task.promise.delegate(router, perform_atom_v, std::move(task.order));
  }

  void report(std::uint32_t generation, bool trial, failure_class failure_kind, failure_ptr cause,
              std::optional<time_point> open_since = {}) {
    outcome_report r;
    r.server = spec.context->id;
    r.generation = generation;
    r.trial = trial;
    r.failed = failure_kind;
    r.cause = std::move(cause);
    r.open_since = open_since;
    if (const auto to = caf::actor_cast<circuit_breaker_actor>(spec.breaker)) self->send(to, report_atom_v, r);
  }

  void report_success(const operation& task) {
    world->retries.answered(task.order.last && task.order.last->ldap_code == 51);
    outcome_report r;
    r.server = spec.context->id;
    r.generation = task.order.generation;
    r.trial = task.order.trial;
    r.successes = 1;
    r.latency_total = now() - task.since + milliseconds{1};
    if (const auto to = caf::actor_cast<circuit_breaker_actor>(spec.breaker)) self->send(to, report_atom_v, r);
  }

  void cancel(const cancel_token_ptr& token) {
    for (auto it = open.begin(); it != open.end(); ++it) {
      if (it->order.token != token) continue;
      settle(*it, failed(errc::cancelled), failure_class::caller);
      open.erase(it);
      break;
    }
    if (draining) drain_now();
  }

  // Time.

  bool connect_hangs() const { return !server().hangs_at_bind && (server().paused || hangs); }

  void on_time() {
    if (connecting && ready_at != time_point::max()) {
      if (connect_hangs()) {
        if (now() >= connect_until) end(failed(errc::connection_timeout, stage::connect));
      } else if (now() >= ready_at) {
        authenticate();
      }
    }
    if (closed) return;
    if (now() >= check_liveness_at) check_liveness();
    if (waits_for_liveness && !server().paused && now() >= liveness_asked_at + server().answer_time)
      liveness_answered();
    if (waits_for_liveness && now() >= liveness_asked_at + spec.context->server.timeout)
      end(failed(errc::connection_timeout, stage::operation));
    if (binding && !server().paused && !hangs && now() >= bound_at) bind_answered();
    if (binding && now() >= give_up_at) end(failed(errc::connection_timeout, stage::bind));
    answer_due();
    if (!world->ignores_deadlines) expire();
    suspect();
    const auto& breaker = spec.context->all->breaker;
    const auto later = [&](time_point when) { return when > now() ? when : time_point::max(); };
    auto next = time_point::max();
    if (connecting && ready_at != time_point::max())
      next = later(connect_hangs() || now() >= ready_at ? connect_until : ready_at);
    if (binding) next = std::min({next, later(bound_at), later(give_up_at)});
    next = std::min(next, later(check_liveness_at));
    if (waits_for_liveness)
      next = std::min({next, later(liveness_asked_at + server().answer_time),
                       later(liveness_asked_at + spec.context->server.timeout)});
    if (!server().paused && server().answer_time > duration::zero()) {
      for (const auto& one : open) next = std::min(next, later(one.since + server().answer_time));
      for (const auto& r : readings) next = std::min(next, later(r.since + server().answer_time));
    }
    for (const auto& one : open)
      next = std::min({next, later(one.order.deadline), later(one.since + breaker.slow_call)});
    next = std::min({next, later(suspect_at()), later(silent_at())});
    for (const auto& r : readings) next = std::min(next, r.deadline);
    if (next != time_point::max()) env().poller->set_timer(timer, next);
  }

  void expire() {
    bool news = false;
    for (auto& one : std::exchange(open, {})) {
      const bool slow = now() >= one.since + spec.context->all->breaker.slow_call;
      if (one.order.deadline <= now() || (slow && !one.slow)) news = note_unanswered(one) || news;
      if (one.order.deadline <= now()) {
        settle(one, failed(!safe_to_repeat(one.order.what->op) ? errc::outcome_unknown : errc::operation_timeout),
               slow && !one.slow ? failure_class::slow : failure_class::caller);
        continue;
      }
      if (slow && !std::exchange(one.slow, true) && !one.order.trial)
        report(one.order.generation, false, failure_class::slow, failed(errc::operation_timeout));
      open.push_back(std::move(one));
    }
    for (auto& r : std::exchange(readings, {})) {
      if (r.deadline <= now()) {
        auto late = unwell(failed(errc::operation_timeout));
        late.answers_others = r.asked && !server().paused;
        r.promise.deliver(late);
      } else {
        readings.push_back(std::move(r));
      }
    }
    if (news) have_server_probed();
    if (draining) drain_now();
  }

  /// True when the server is to be probed for it.
  bool note_unanswered(const operation& task) {
    const auto& breaker = spec.context->all->breaker;
    const bool news = spec.context->unanswered->note(task.order.what->op, task.since, now(),
                                                     breaker.circuit_breaker_threshold, breaker.suspect_after);
    if (news && heard_at <= task.since && now() - task.since >= spec.context->pace->patience(true))
      spec.load->silent = true;
    return news;
  }

  /// When it will have been silent for too long about something, be it a check.
  time_point suspect_at() const {
    auto oldest = time_point::max();
    for (const auto& one : open) oldest = std::min(oldest, one.since);
    for (const auto& r : readings) oldest = std::min(oldest, r.since);
    return oldest == time_point::max() ? oldest : std::max(oldest, heard_at) + spec.context->all->breaker.suspect_after;
  }
  /// When that is also longer than is usual.
  time_point silent_at() const {
    const auto& breaker = spec.context->all->breaker;
    const auto more = std::max<duration>(spec.context->pace->patience(true) - breaker.suspect_after, duration{});
    return suspect_at() == time_point::max() ? suspect_at() : suspect_at() + more;
  }

  void suspect() {
    if (now() < suspect_at()) return;
    for (const auto& one : open) note_unanswered(one);
    const bool silent = now() >= silent_at() && !spec.load->silent.exchange(true);
    if (!std::exchange(suspected, true) || silent) have_server_probed();
  }

  void have_server_probed() {
    if (const auto to = caf::actor_cast<circuit_breaker_actor>(spec.breaker))
      self->send(to, suspect_atom_v, spec.context->id);
  }

  // Health.

  probe_report well() const {
    probe_report r;
    r.server = spec.context->id;
    r.ok = true;
    return r;
  }
  probe_report unwell(failure_ptr cause) const {
    auto r = well();
    r.ok = false;
    r.error = std::move(cause);
    return r;
  }
  caf::result<probe_report> check(time_point deadline) {
    end_with_cut();
    if (closed) return unwell(why ? why : failed(errc::connection_failed));
    if (world->fails_checks) return unwell(failed(errc::operation_timeout));
    if (!server().paused && server().busy) return unwell(busy());
    const auto asked = spec.context->unanswered->question();
    const bool answers = !server().paused && !hangs_on(asked);
    if (answers && server().answer_time == duration::zero()) {
      if (asked) spec.context->unanswered->question_answered(asked, now());
      return well();
    }
    readings.push_back({self->make_response_promise<probe_report>(), deadline, now(), asked});
    auto promise = readings.back().promise;
    on_time();
    return promise;
  }

  connection_actor::behavior_type make_behavior() {
    return {
        [this](perform_atom, const call& c) { return perform(c, 0); },
        [this](perform_atom, lease_id lease, const call& c) { return perform(c, lease); },
        [this](cancel_atom, const cancel_token_ptr& token) { cancel(token); },
        [this](lease_atom, lease_id id) { leased = id; },
        [this](reset_atom, lease_id) {
          leased = 0;
          for (auto& one : std::exchange(open, {})) settle(one, failed(errc::invalid_lease), failure_class::caller);
          if (!closed) say(kind::ready, nullptr);
        },
        [this](drain_atom) { drain_now(); },
        [this](close_atom) {
          if (!world->mute_drain) end(nullptr);
        },
        [this](removed_atom) {
          end(nullptr);
          removed = true;
          quit_if_done();
        },
        [](stream_atom, lease_id, const call&, std::uint64_t, std::uint32_t) -> caf::result<result_ptr> {
          return caf::make_error(caf::sec::unexpected_message);
        },
        [](credit_atom, lease_id, std::uint64_t, std::uint32_t) {},
        [](credit_atom, std::int32_t, std::uint64_t) {},
        [this](check_atom, time_point deadline) { return check(deadline); },
        [](status_atom) { return connection_snapshot{}; },
        [this](io_atom, std::uint64_t, std::uint32_t order) {
          if (order == world_order::die && removed) return remember();
          if (order == world_order::die) return end(failed(errc::connection_failed));
          if (binding) return on_time();
          if (!closed && !connecting) answer_all();
          if (!closed) on_time();
        },
        [this](tick_atom, std::uint64_t) {
          if (!closed) on_time();
        },
        [](flush_atom) {},
        [](resolved_atom, std::uint64_t, const resolution&) {},
    };
  }

  pointer self;
  connection_spec spec;
  std::shared_ptr<directory_world> world;
  std::vector<operation> open;
  std::vector<reading> readings;
  std::vector<caf::typed_response_promise<result_ptr>> forgotten;
  failure_ptr why;  ///< it ended
  lease_id leased = 0;
  poller_port::timer_id timer = 0;
  time_point ready_at = time_point::max(), connect_until{}, bound_at{}, give_up_at{};
  time_point ready_since{};
  time_point heard_at{};              ///< the latest answer
  int cuts = 0;                       ///< of its server, when it began
  std::optional<credential> binding;  ///< not answered yet
  bool hangs = false;                 ///< its set-up
  bool waits_for_credential = false;
  time_point waits_since{}, check_liveness_at = time_point::max(), liveness_asked_at{};
  bool waits_for_liveness = false;
  bool connecting = false, was_ready = false, draining = false, closed = false, suspected = false, removed = false;
};

}  // namespace

connection_factory made_up_connections(std::shared_ptr<directory_world> world) {
  return [world](caf::actor_system& system, connection_spec spec) -> connection_actor {
    return system.spawn(
        [](made_up_state::pointer self, connection_spec given, const std::shared_ptr<directory_world>& around) {
          return self->state.start(std::move(given), around);
        },
        std::move(spec), world);
  };
}

}  // namespace understudy::test
