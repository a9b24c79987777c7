// What a pool does when its connections come up, fail, drain and end, and when the breaker speaks.
#include "understudy/actors/pool/pool_state.hpp"

#include <algorithm>

namespace understudy {
namespace {

/// Of a connection's maximal lifetime, the part that is drawn at random, so that those opened together do not end so.
constexpr int lifetime_spread = 5;  // one fifth
/// The time within which connections bound with an earlier secret are replaced, when their lifetime is not limited.
constexpr duration renewal_spread = seconds{600};
/// Reconnects in the background, when nobody waits for them, are spread over this.
constexpr duration background_spread = milliseconds{100};
/// After a refusal of the service's own credentials, a caller is answered with it for this long before the gate, which
/// reads their source again, is asked anew: a corrected secret serves the next caller.
constexpr duration credential_recheck = seconds{1};
/// The same while nobody waits.
constexpr duration credential_pause = seconds{10};
/// A connection that lives for so long was worth opening, though nobody needed it.
constexpr duration useful_life = seconds{5};
/// Between two warnings that a lease was lost with its connection.
constexpr duration loss_pause = seconds{60};
/// Open connections that are asked, one after the other, whether a failed connect means that the server is down.
constexpr int most_witnesses = 2;

}  // namespace

void pool_state::attach(connection_id id, load_reading meter) {
  if (slot* s = slots_.find(id)) s->meter = std::move(meter);
}

void pool_state::on_ready(connection_id id, time_point now, std::uint64_t secret_number) {
  slot* s = slots_.find(id);
  if (s == nullptr) return;
  if (s->state == slot_state::connecting) {
    rounds(s->kind).succeed(s->round, now - s->changed);
    in_vain_ = 0;
    awaits_another_ = false;
    no_room_before_ = time_point{};
    overtaken_before_ = std::max(overtaken_before_, s->changed);
    ++totals_.opened;
    waited_since_.reset();
    s->was_ready = true;
    s->ready_since = now;
    s->ready_after = last_waiter_;
    const bool said_silent = std::exchange(said_silent_, false);
    const bool told = std::exchange(said_none_left_, false) || said_silent;
    if (told || slots_.count(now).alive() == 0) actions_.push_back(pool_action::readiness{true, told});
    if (s->kind == connection_kind::pooled) credential_refusal_ = nullptr;
    if (policy_.max_lifetime > duration::zero())
      s->expires = now + policy_.max_lifetime - up_to(policy_.max_lifetime / lifetime_spread, dependencies_.random);
    background_at_ = now + up_to(background_spread, dependencies_.random);
    const auto limit = growth_.limit();
    if (growth_.passed(slots_.count(now).established() + probe_slots_ + 1))
      note(log_level::info, "more than " + std::to_string(limit) + " connections can be had again");
  } else if (s->state == slot_state::resetting) {
    if (s->meter.completed) s->dispatched = s->meter.completed->load();
  } else {
    return;
  }
  s->enter(slot_state::ready, now);
  s->last_used = s->validated = now;
  s->secret_number = secret_number;
  if (secret_number > newest_secret_) renew_all_before(secret_number, now);
  replace_overtaken(now);
  settle(now);
}

/// The service's secret was changed. The directory does not end what was bound with the old one; we do, one after the
/// other, so that nobody notices.
void pool_state::renew_all_before(std::uint64_t secret_number, time_point now) {
  newest_secret_ = secret_number;
  const auto within = policy_.max_lifetime > duration::zero() ? policy_.max_lifetime / lifetime_spread : renewal_spread;
  for (auto& [id, s] : slots_)
    if (s.alive() && s.kind == connection_kind::pooled && s.secret_number < secret_number)
      s.expires = std::min(s.expires, now + up_to(within, dependencies_.random));
}

void pool_state::on_failed(connection_id id, failure_ptr cause, time_point now) {
  slot* s = slots_.find(id);
  if (s == nullptr) return;
  if (s->state != slot_state::connecting) return on_closed(id, std::move(cause), now);
  failed_round failed;
  failed.kind = s->kind;
  failed.growth = slots_.size() + probe_slots_ > growth_.limit();
  const auto kind = s->kind;
  const auto round = s->round;
  drop(id);
  if (!cause) {
    rounds(kind).abandon();
    return settle(now);
  }
  ++totals_.connect_failures;
  last_ = {cause, dependencies_.wall_now()};
  failed.what = classify(*cause);
  failed.cause = std::move(cause);
  const bool refused = failed.what == failure_class::credential;
  if (refused) background_at_ = now + credential_pause - up_to(credential_pause / 2, dependencies_.random);
  const auto pause = refused ? credential_recheck : duration::max();
  const auto why = failed.cause;
  const bool decided = rounds(kind).fail(round, now, dependencies_.random, pause);
  if (std::exchange(awaits_another_, false) || decided) after_failed_round(std::move(failed), now);
  note_loss(why, now);
  settle(now);
}

void pool_state::after_failed_round(failed_round round, time_point now) {
  const bool refused = round.what == failure_class::credential;
  if (round.kind == connection_kind::pooled) credential_refusal_ = refused ? round.cause : nullptr;
  if (refused || round.what == failure_class::local) return conclude(round, slots_.count(now).alive() > 0, now);
  // One round in doubt at a time: what becomes of it holds for the other as well.
  if (doubt_) return;
  if (ask_another(round, now)) return;
  if (round.cause->code != errc::connection_failed || !another_under_way(now)) return conclude(round, false, now);
  awaits_another_ = true;
  ask_for_probe_slot(now);
}

/// A connection of ours that is being set up, the monitor's too, may be the last one that the server takes: what
/// becomes of it tells why another one was refused. For as long as it may take to connect, since it may hang.
bool pool_state::another_under_way(time_point now) const noexcept {
  const auto young = [&](time_point begun) { return now - begun < policy_.connect_timeout; };
  return (probe_slots_ > 0 && young(probe_since_)) || std::any_of(slots_.begin(), slots_.end(), [&](const auto& known) {
           return known.second.state == slot_state::connecting && young(known.second.changed);
         });
}

/// Has an open connection checked, if there is one; checked() goes on.
bool pool_state::ask_another(failed_round& round, time_point now) {
  slot* s = round.asked_before < most_witnesses ? witness() : nullptr;
  if (s == nullptr) return false;
  ++round.asked_before;
  round.asked = s->id;
  doubt_ = round;
  if (s->load() == 0) s->asked_until = check_deadline(now);
  actions_.push_back(pool_action::check{s->id, check_deadline(now)});
  return true;
}

/// As for a probe: who is in no hurry waits for a server that takes its time.
time_point pool_state::check_deadline(time_point now) const {
  return now + std::max(std::min(check_time, policy_.connect_timeout), dependencies_.patience());
}

/// The open connection that is most likely to answer soon.
slot* pool_state::witness() noexcept {
  const auto rank = [](const slot& s) {
    const bool shared = s.kind == connection_kind::pooled;
    if (s.state == slot_state::ready) return s.load() == 0 ? (shared ? 5 : 4) : (shared ? 3 : 1);
    return s.state == slot_state::reserved || s.state == slot_state::leased ? 2 : 0;
  };
  slot* best = nullptr;
  for (auto& [id, s] : slots_) {
    if (s.silent() || rank(s) == 0) continue;
    if (best == nullptr || std::pair{rank(s), s.last_turn} > std::pair{rank(*best), best->last_turn}) best = &s;
  }
  return best;
}

void pool_state::conclude(const failed_round& round, bool others_answer, time_point now) {
  const bool refused = round.what == failure_class::credential;
  const auto c = slots_.count(now);
  const bool limited = others_answer && !refused;
  if (limited) {
    // It may not have noticed yet that another connection made room.
    if (!round.growth && ++in_vain_ == 1) return rounds(round.kind).reset(now, dependencies_.random, duration::zero());
    meet_limit(round, now);
  } else if (counts_against_server(round.what)) {
    if (c.alive() == 0) said_none_left_ = true;
    actions_.push_back(pool_action::report{round.what, round.cause, c.alive() == 0});
    // It may take no other one because it has a probe's.
    if (c.alive() == 0) ask_for_probe_slot(now);
  }
  if (!none_ready(round.kind)) return;
  // Connections of the other kind make room for what could not be one more.
  if (limited && round.growth) return;
  if (limited) no_room_before_ = growth_.retry_at();
  // Nothing serves here: whoever waits is better off elsewhere, but never takes refused credentials there.
  auto& waiting = queue(round.kind);
  const auto why = pool_connect_failed(situation(now), *round.cause);
  if (!refused) return send_all_away(waiting, why, true, now);
  for (auto at = waiting.begin(); at != waiting.end();) at = refuse(waiting, at, why, now);
}

/// What is open goes on, and may be replaced; more is tried again later.
void pool_state::meet_limit(const failed_round& round, time_point now) {
  const auto c = slots_.count(now);
  const auto open = c.established() + probe_slots_;
  if (growth_.met(open, now, dependencies_.random))
    note(log_level::warning, "no more than " + std::to_string(open) + " connections can be had (" +
                                 round.cause->message + "); these go on serving, more will be tried from time to time");
  if (round.growth) rounds(round.kind).reset(now, dependencies_.random, duration::zero());
}

void pool_state::on_draining(connection_id id, time_point now) {
  slot* s = slots_.find(id);
  if (s == nullptr || s->state == slot_state::connecting) return;
  if (s->state == slot_state::leased) {
    s->retiring = true;
    return;
  }
  if (s->state == slot_state::closing) return;
  unreserve(*s, now);
  s->enter(slot_state::draining, now);
  settle(now);
}

void pool_state::on_closed(connection_id id, failure_ptr cause, time_point now) {
  slot* s = slots_.find(id);
  if (s == nullptr) return;
  if (s->state == slot_state::connecting) return on_failed(id, std::move(cause), now);
  if (cause) last_ = {cause, dependencies_.wall_now()};
  if (cause && s->was_ready) note_worth(*s, now);
  unreserve(*s, now);
  lose_lease_of(*s, cause, now);
  if (s->was_ready) ++totals_.closed;
  drop(id);
  if (cause) background_at_ = std::max(background_at_, now + up_to(background_spread, dependencies_.random));
  if (cause) note_loss(cause, now);
  settle(now);
}

/// A server may answer whoever connects and then end the connection: it is not connected to without end.
void pool_state::note_worth(const slot& s, time_point now) {
  const bool carried = s.leased_as != 0 || s.completed() > 0;
  if (carried || now - s.ready_since >= useful_life)
    rounds(s.kind).prove();
  else
    rounds(s.kind).end_early(s.ready_since, now, dependencies_.random);
}

/// Without auto_reconnect the last connection that is lost ends the service of this server until connect() is called.
void pool_state::note_loss(const failure_ptr& cause, time_point now) {
  const auto c = slots_.count(now);
  if (policy_.reconnect || draining_ || lost_ || totals_.opened == 0 || c.alive() + c.connecting > 0) return;
  lost_ = cause;
  note(log_level::warning, "the last connection was lost; no other one is made until connect() is called");
  // No probe connects either: nobody else would tell the breaker to send requests elsewhere.
  said_none_left_ = true;
  actions_.push_back(pool_action::report{failure_class::transport, lost_, true});
  const auto why = pool_is_lost(situation(now), *lost_);
  send_all_away(pooled_, why, true, now);
  send_all_away(binds_, why, true, now);
}

void pool_state::lose_lease_of(slot& s, const failure_ptr& cause, time_point now) {
  if (s.leased_as == 0) return;
  const auto ended = leases_.mark_lost(std::exchange(s.leased_as, 0));
  if (!ended) return;
  actions_.push_back(pool_action::unwatch{ended->id});
  auto text = "lease " + std::to_string(ended->id) + " of " + ended->holder + " lost with its connection after " +
              format_span(now - ended->granted);
  if (cause) text += ": " + cause->message;
  // A server that ends connections ends one after the other, which each holder learns from his next request.
  const bool told_lately = loss_told_at_ && now - *loss_told_at_ < loss_pause;
  if (told_lately) {
    ++losses_untold_;
    return note(log_level::debug, std::move(text));
  }
  loss_told_at_ = now;
  if (const auto more = std::exchange(losses_untold_, 0)) text += " (and " + std::to_string(more) + " more before)";
  note(log_level::warning, std::move(text));
}

void pool_state::checked(connection_id id, bool works, time_point now) {
  auto doubt = doubt_ && doubt_->asked == id ? std::exchange(doubt_, std::nullopt) : std::nullopt;
  slot* s = slots_.find(id);
  if (s != nullptr) take_check(*s, works, now);
  if (doubt && (works || !ask_another(*doubt, now))) conclude(*doubt, works, now);
  settle(now);
}

void pool_state::take_check(slot& s, bool works, time_point now) {
  s.checking = false;
  s.asked_until = {};
  if (works) {
    s.validated = now;
  } else if (s.state == slot_state::leased) {
    s.retiring = true;
  } else if (s.alive()) {
    close(s, now);
  }
}

/// A lease's too: a read of the root DSE changes nothing in its session, and the server answers it or not.
std::vector<connection_id> pool_state::ask_all(time_point deadline) {
  std::vector<connection_id> ids;
  for (auto& [id, s] : slots_) {
    const bool open = s.state == slot_state::ready || s.state == slot_state::reserved || s.state == slot_state::leased;
    if (!open || s.kind != connection_kind::pooled) continue;
    ids.push_back(id);
    if (breaker_ != breaker_state::closed || s.load() == 0) s.asked_until = std::max(s.asked_until, deadline);
  }
  return ids;
}

void pool_state::retire(slot& s, time_point now) {
  unreserve(s, now);
  s.enter(slot_state::draining, now);
  actions_.push_back(pool_action::drain{s.id});
}

void pool_state::close(slot& s, time_point now) {
  unreserve(s, now);
  lose_lease_of(s, nullptr, now);
  if (s.state == slot_state::connecting) rounds(s.kind).abandon();
  s.enter(slot_state::closing, now);
  actions_.push_back(pool_action::close{s.id});
}

void pool_state::drop(connection_id id) {
  slots_.erase(id);
  actions_.push_back(pool_action::forget{id});
}

void pool_state::on_breaker(breaker_state state, time_point now) {
  const bool was_usable = breaker_lets_through();
  if (state == breaker_state::closed) {  // told again when a probe was answered
    overtaken_before_ = now;
    replace_overtaken(now);
    // It has forgotten the silence: who waits has to find it out anew.
    said_silent_ = false;
    waited_since_.reset();
    if (!pooled_.empty() || !binds_.empty()) waited_since_ = now;
  }
  breaker_ = state;
  if (was_usable && !breaker_lets_through()) {
    const auto why = pool_breaker_opened(situation(now));
    // Nothing of what waits was sent, and nothing is given to this server again meanwhile: that uses up no attempt.
    send_all_away(pooled_, why, false, now);
    send_all_away(binds_, why, false, now);
  } else if (!was_usable && breaker_lets_through()) {
    rounds_.reset(now, dependencies_.random, background_spread);
    bind_rounds_.reset(now, dependencies_.random, background_spread);
  }
  if (state != breaker_state::closed) close_silent(now);
  settle(now);
}

void pool_state::resume(time_point now) {
  if (std::exchange(lost_, nullptr)) filled_ = false;
  for (auto* r : {&rounds_, &bind_rounds_}) r->reset(now, dependencies_.random, duration::zero());
  settle(now);
}

/// A server that fails and does not answer what it was sent will not do so soon: what is safe goes elsewhere, and the
/// holder of a lease learns that he needs another one.
void pool_state::close_silent(time_point now) {
  bool some = false;
  for (auto& [id, s] : slots_) {
    if (!s.silent() || s.state == slot_state::connecting || s.state == slot_state::closing) continue;
    if (s.state == slot_state::ready && now < s.asked_until) continue;
    close(s, now);
    some = true;
  }
  if (some) note_loss(pool_breaker_opened(situation(now)), now);
}

bool pool_state::breaker_lets_through() const noexcept {
  return breaker_ == breaker_state::closed || breaker_ == breaker_state::half_open;
}

/// A probe is no reason to find out whether more can be had, and those who wait come first; nor does one connect where
/// nobody is to until connect() is called.
bool pool_state::take_probe_slot(time_point now) {
  const bool wanted = growth_.known() && !(pooled_.empty() && binds_.empty());
  if (lost_ || wanted || !socket_is_free(false, now)) return false;
  ++probe_slots_;
  probe_since_ = now;
  return true;
}

void pool_state::give_probe_slot(time_point now) {
  if (probe_slots_ > 0) --probe_slots_;
  slot_asked_at_ = time_point{};
  if (std::exchange(awaits_another_, false))
    for (auto* r : {&rounds_, &bind_rounds_}) r->reset(now, dependencies_.random, duration::zero());
  settle(now);
}

void pool_state::adopt(const pool_state& old, const std::vector<connection_id>& known, time_point now) {
  totals_ = old.totals_;
  leases_ = old.leases_;
  last_ = old.last_;
  last_waiter_ = old.last_waiter_;
  breaker_ = old.breaker_;
  newest_secret_ = old.newest_secret_;
  probe_slots_ = old.probe_slots_;
  said_silent_ = old.said_silent_;
  said_none_left_ = old.said_none_left_;
  lost_ = old.lost_;
  draining_ = old.draining_;
  leaving_ = old.leaving_;
  drain_deadline_ = old.drain_deadline_;
  for (const auto id : known) {
    const slot* was = old.slots_.find(id);
    if (was == nullptr) {
      actions_.push_back(pool_action::forget{id});
      continue;
    }
    slot& s = slots_.add(*was);
    s.reserved_for = 0;
    s.checking = false;
    if (s.state == slot_state::leased)
      s.retiring = true;
    else if (s.state == slot_state::connecting)
      close(s, now);
    else if (s.alive())
      retire(s, now);
  }
  for (const auto& l : leases_.all()) {
    const slot* s = slots_.find(l.connection);
    if (s != nullptr && s->leased_as == l.id) continue;
    leases_.mark_lost(l.id);
    actions_.push_back(pool_action::unwatch{l.id});
  }
}

}  // namespace understudy
