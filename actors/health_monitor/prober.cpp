// Carries out what probe sessions want.
#include "understudy/actors/health_monitor/prober.hpp"

#include <caf/send.hpp>

#include <algorithm>

namespace understudy::internal {
namespace {

/// A pool answers at once when it lives; a late `true` still has to come through, to be given back.
constexpr seconds slot_patience{30};
/// How long the steps of a probe are waited for, once its result is known.
constexpr milliseconds steps_patience{100};
/// How much longer than until its deadline an answer is waited for.
constexpr milliseconds answer_grace{200};

duration patience(time_point deadline, time_point now) { return as_limit(deadline - now) + answer_grace; }

failure_ptr no_connection() {
  return make_failure(errc::internal, stage::connect, "No connection could be made for a probe; the log has more.");
}

}  // namespace

prober::prober(health_monitor_actor::pointer self, environment_ptr env, runner handle, connection_factory factory,
               caf::actor_addr breaker, caf::actor_addr manager)
    : self_(self),
      env_(std::move(env)),
      handle_(std::move(handle)),
      factory_(std::move(factory)),
      breaker_(std::move(breaker)),
      manager_(std::move(manager)) {}

prober::key prober::add(const routed_server& server, bool once, listener told) {
  sweep();
  const auto k = ++last_key_;
  hosts_.emplace(k, host{probe_session{server.context->id, server.context->name}, server, once, std::move(told)});
  return k;
}

void prober::begin(key k, time_point deadline, const probe_mode& mode) {
  step(k, [&](probe_session& s) {
    return s.running() ? s.hurry(now(), deadline, mode.hurried) : s.begin(now(), deadline, mode);
  });
}

void prober::retire(key k) {
  step(k, [](probe_session& s) { return s.on_draining(); });
}

void prober::stop(key k, bool for_good) {
  if (const auto h = hosts_.find(k); h != hosts_.end()) {
    h->second.once = h->second.once || for_good;
    step(k, [](probe_session& s) { return s.stop(); });
  }
}

void prober::stop_all() {
  for (const auto k : keys()) stop(k, false);
}

void prober::on_event(const connection_event& event) {
  const auto found =
      std::find_if(hosts_.begin(), hosts_.end(), [&](const auto& h) { return h.second.number == event.id; });
  if (event.id == 0 || found == hosts_.end()) return;
  step(found->first, [&](probe_session& s) {
    switch (event.what) {
      case connection_event::kind::ready:
        return s.on_ready(now());
      case connection_event::kind::draining:
        return s.on_draining();
      default:
        return s.on_ended(event.cause, now());
    }
  });
}

void prober::on_down(const caf::actor_addr& gone) {
  const auto found = std::find_if(hosts_.begin(), hosts_.end(), [&](const auto& h) {
    return h.second.connection && h.second.connection.address() == gone;
  });
  if (found != hosts_.end()) {
    found->second.connection = nullptr;
    step(found->first, [&](probe_session& s) { return s.on_ended(nullptr, now()); });
  }
}

void prober::advance() {
  for (const auto k : keys()) step(k, [&](probe_session& s) { return s.on_time(now(), awaited_by(hosts_.at(k))); });
  sweep();
}

probe_wait prober::awaited_by(const host& h) const {
  using reason = probe_wait::reason;
  if (!h.load || !h.load->held_up) return {};
  if (!h.load->awaits_credential) return {reason::ours};
  const auto& context = *h.server.context;
  const auto owed = context.pace->bind_unanswered_for(now());
  const auto usual = context.all ? std::max<duration>(context.all->breaker.suspect_after, context.pace->patience(true))
                                 : context.pace->patience(true);
  return owed >= usual && owed > duration{} ? probe_wait{reason::own_bind, owed} : probe_wait{reason::credential};
}

time_point prober::next_deadline() const {
  auto next = time_point::max();
  for (const auto& [k, h] : hosts_) next = std::min(next, h.session.deadline());
  return next;
}

/// Forgets sessions that were for one probe and hold nothing any more.
void prober::sweep() {
  for (auto h = hosts_.begin(); h != hosts_.end();)
    h = h->second.once && h->second.session.idle() ? hosts_.erase(h) : std::next(h);
}

std::vector<prober::key> prober::keys() const {
  std::vector<key> all;
  for (const auto& [k, h] : hosts_) all.push_back(k);
  return all;
}

/// Lets `how` move a session on and carries out what it wants.
template <class Step>
void prober::step(key k, Step&& how) {
  if (const auto h = hosts_.find(k); h != hosts_.end())
    for (const auto& action : how(h->second.session)) carry_out(k, action);
}

void prober::carry_out(key k, const probe_action& action) {
  auto& h = hosts_.at(k);
  switch (action.what) {
    case probe_action::kind::ask_slot:
      return ask_slot(k, h);
    case probe_action::kind::give_slot_back:
      return caf::anon_send(h.server.pool, slot_atom_v, false);
    case probe_action::kind::open:
      return open(k, h);
    case probe_action::kind::check:
      return check(k, h, action);
    case probe_action::kind::check_pool:
      return check_pool(k, h, action);
    case probe_action::kind::ask_steps:
      return ask_steps(k, h, action);
    case probe_action::kind::close:
      return close(k, h);
    case probe_action::kind::forget:
      return forget(h);
    case probe_action::kind::report:
      return h.told(&h.session.outcome());
    case probe_action::kind::lost:
      return h.told(nullptr);
  }
}

void prober::ask_slot(key k, const host& h) {
  const auto answered = [this, k](bool granted) {
    handle_([&] { step(k, [&](probe_session& s) { return s.on_slot(granted, now()); }); });
  };
  self_->request(h.server.pool, slot_patience, slot_atom_v, true).then(answered, [answered](const caf::error&) {
    answered(false);
  });
}

void prober::open(key k, host& h) {
  connection_spec spec;
  spec.id = env_->next_number();
  spec.kind = connection_kind::probe;
  spec.context = h.server.context;
  spec.load = std::make_shared<connection_load>();
  spec.owner = self_->address();
  spec.breaker = breaker_;
  spec.manager = manager_;
  h.number = spec.id;
  h.load = spec.load;
  try {
    h.connection = factory_(self_->system(), std::move(spec));
  } catch (...) {
    // The probe ends as a defect of ours, which says nothing about the server; the guard tells of it.
    step(k, [&](probe_session& s) { return s.on_ended(no_connection(), now()); });
    throw;
  }
  self_->monitor(h.connection);
}

void prober::close(key k, const host& h) {
  if (h.connection)
    caf::anon_send(h.connection, close_atom_v);
  else
    step(k, [&](probe_session& s) { return s.on_ended(nullptr, now()); });
}

void prober::forget(host& h) {
  if (h.connection) {
    self_->demonitor(h.connection.address());
    caf::anon_send(h.connection, removed_atom_v);
  }
  h.connection = nullptr;
  h.number = 0;
}

void prober::check(key k, const host& h, const probe_action& action) {
  const auto answered = [this, k, turn = action.turn](const probe_report& report) {
    handle_([&] { step(k, [&](probe_session& s) { return s.on_check(turn, report, now()); }); });
  };
  const auto failed = [answered](const caf::error& e) {
    probe_report report;
    report.error = failure_of(e);
    answered(report);
  };
  self_->request(h.connection, patience(action.deadline, now()), check_atom_v, action.deadline).then(answered, failed);
}

void prober::check_pool(key k, const host& h, const probe_action& action) {
  const auto answered = [this, k, turn = action.turn](const pool_health& found) {
    handle_([&] { step(k, [&](probe_session& s) { return s.on_pool(turn, found, now()); }); });
  };
  self_->request(h.server.pool, patience(action.deadline, now()), check_atom_v, action.deadline)
      .then(answered, [answered](const caf::error&) { answered(pool_health{}); });
}

void prober::ask_steps(key k, const host& h, const probe_action& action) {
  const auto answered = [this, k, turn = action.turn](const std::vector<probe_step>& steps) {
    handle_([&] { step(k, [&](probe_session& s) { return s.on_steps(turn, steps); }); });
  };
  if (!h.connection) return answered({});
  self_->request(h.connection, steps_patience, status_atom_v)
      .then([answered](const connection_snapshot& found) { answered(found.steps); },
            [answered](const caf::error&) { answered({}); });
}

}  // namespace understudy::internal
