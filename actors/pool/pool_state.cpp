// Requests, waiters and leases of a pool.
#include "understudy/actors/pool/pool_state.hpp"

#include <algorithm>
#include <limits>

namespace understudy {
namespace {

/// A pool's state is looked after at least this often.
constexpr duration housekeeping_interval = seconds{1};
/// Under load, whether another connection is due is not worked out for every operation.
constexpr duration crowd_check_interval = milliseconds{1};
/// Whoever waits where something is ready looks again so often within `suspect_after` whether that is still answered.
constexpr int looks_again = 4;

connection_kind kind_for(acquire_kind what) noexcept {
  return what == acquire_kind::bind ? connection_kind::bind : connection_kind::pooled;
}

}  // namespace

pool_state::pool_state(pool_policy policy, pool_dependencies world, time_point now)
    : policy_(std::move(policy)),
      dependencies_(std::move(world)),
      rounds_(policy_.retry_base),
      bind_rounds_(policy_.retry_base),
      growth_(policy_.retry_base),
      housekeeping_at_(now + housekeeping_interval) {
  if (policy_.preload) warm_until_ = now + policy_.max_idle_time;
}

connection_id pool_state::try_dispatch(time_point now) {
  if (draining_ || !pooled_.empty()) return 0;
  slot* s = slots_.least_loaded(connection_kind::pooled, policy_.max_in_flight);
  if (s == nullptr) return 0;
  const bool crowded = s->load() >= comfortable_load(policy_.max_in_flight);
  mark_dispatched(*s, now);
  if (crowded && now >= crowd_check_at_) {
    crowd_check_at_ = now + crowd_check_interval;
    reconcile(now);
  }
  return s->id;
}

waiter_id pool_state::enqueue(acquire_request who, time_point now) {
  waiter w;
  w.waiter = ++last_waiter_;
  w.what = who.what;
  w.since = now;
  w.gives_up_at = std::min(who.deadline, now + policy_.wait_timeout);
  w.leave_at = w.patient_until = w.gives_up_at;
  if (policy_.failover_timeout > duration::zero()) {
    w.patient_until = std::min(w.gives_up_at, now + policy_.failover_timeout);
    // By then the server has to have shown life, or others are tried.
    w.leave_at = std::min(w.patient_until, now + policy_.suspect_after);
  }
  w.token = who.token;
  w.attempts = who.attempts;
  w.holder = std::move(who.holder);
  warm_until_ = now + policy_.max_idle_time;
  const auto waiter = w.waiter;
  if (leaving_ || (draining_ && w.attempts < policy_.max_attempts)) {
    actions_.push_back(pool_action::recast{waiter, pool_is_draining(situation(now)), !leaving_});
  } else if (lost_ && policy_.failover_timeout > duration::zero() && w.attempts < policy_.max_attempts) {
    actions_.push_back(pool_action::recast{waiter, pool_is_lost(situation(now), *lost_), true});
  } else if (auto why = reason_to_refuse(who, now)) {
    actions_.push_back(pool_action::refuse{waiter, std::move(why)});
  } else {
    if (!waited_since_ && none_ready()) waited_since_ = now;
    queue(kind_for(w.what)).push(std::move(w));
    settle(now);
  }
  return waiter;
}

failure_ptr pool_state::reason_to_refuse(const acquire_request& who, time_point now) {
  const auto kind = kind_for(who.what);
  if (draining_) return pool_is_draining(situation(now));
  if (lost_) return pool_is_lost(situation(now), *lost_);
  if (pooled_.size() + binds_.size() >= policy_.max_waiters && !slots_.least_loaded(kind, 1) &&
      queue(kind).size() >= waiters_for_first(who.what, now)) {
    ++totals_.refused;
    return pool_queue_is_full(situation(now));
  }
  if (kind == connection_kind::pooled && credential_refusal_ && !rounds_.may_open(now, true) &&
      slots_.count(now).alive() == 0)
    return pool_connect_failed(situation(now), *credential_refusal_);
  if (who.what == acquire_kind::lease && !who.may_wait && !lease_may_wait(now))
    return pool_is_exhausted(situation(now));
  return nullptr;
}

/// Whoever waits for the first connection of its kind, and finds room on it, is no waiter too many.
std::uint32_t pool_state::waiters_for_first(acquire_kind what, time_point now) {
  const auto c = slots_.count(now);
  const bool bind = what == acquire_kind::bind;
  // One that is being checked is back in a moment.
  if ((bind ? c.bind_ready : c.alive() - c.checking) > 0) return 0;
  auto coming = bind ? c.bind_connecting : c.connecting + c.checking;
  const auto other = bind ? connection_kind::pooled : connection_kind::bind;
  if (coming == 0 && (socket_is_free(true, now) || least_recently_used(other, true) != nullptr)) coming = 1;
  return what == acquire_kind::shared ? coming * policy_.max_in_flight : coming;
}

bool pool_state::lease_may_wait(time_point now) const {
  const auto c = slots_.count(now);
  if (c.idle > 0 && pooled_.empty()) return true;
  if (!rounds_.may_open(now, true)) return false;
  // One may be opened for it: those that could be, less those that are promised to earlier leases.
  return c.alive() + pooled_.leases() < pooled_ceiling(c, now);
}

bool pool_state::cancel(const cancel_token* token, time_point now) {
  for (wait_queue* q : {&pooled_, &binds_}) {
    const auto at = q->find(token);
    if (at == q->end()) continue;
    refuse(*q, at, pool_wait_cancelled(situation(now)), now);
    settle(now);
    return true;
  }
  return false;
}

void pool_state::settle(time_point now) {
  leave_silent(now);
  leave_overdue(connection_kind::pooled, now);
  leave_overdue(connection_kind::bind, now);
  do {
    freed_ = false;
    serve_pooled(now);
  } while (freed_);  // somebody who came earlier may want it
  serve_binds(now);
  reconcile(now);
  watch_for_silence(now);
}

void pool_state::leave_overdue(connection_kind kind, time_point now) {
  auto& q = queue(kind);
  bool in_vain = false;
  for (auto at = q.overdue(now); at != q.end(); at = q.overdue(now)) {
    const waiter& w = at->second;
    const bool soon = held_up(kind) && now < w.since + policy_.suspect_after + policy_.suspect_after / looks_again;
    if (w.patient_until > now && (soon || !none_ready(kind))) {
      q.postpone(at, std::min(w.patient_until, now + policy_.suspect_after / looks_again));
      continue;
    }
    auto why = pool_timed_out(situation(now), now - w.since);
    if (w.recast_on_leave()) {
      send_away(q, at, std::move(why), false, now);
      in_vain = true;
    } else {
      ++totals_.timeouts;
      refuse(q, at, std::move(why), now);
      in_vain = in_vain || now >= silent_from();
    }
  }
  if (in_vain) note_silence(now);
}

/// From when on the server is taken for silent that lets somebody wait: it has owed connects an answer for
/// `suspect_after`, and for so long one or the other has waited here, with gaps or without. max() while that is not so,
/// or where nobody else serves.
time_point pool_state::silent_from() const noexcept {
  if (policy_.failover_timeout <= duration::zero() || draining_ || !waited_since_ || !none_ready())
    return time_point::max();
  auto owed_since = time_point::max();
  for (const auto& [id, s] : slots_)
    if (s.state == slot_state::connecting) owed_since = std::min(owed_since, s.awaited_since());
  if (owed_since == time_point::max()) return owed_since;
  return std::max(owed_since, *waited_since_) + policy_.suspect_after;
}

/// Those whose deadlines are shorter than `suspect_after` would never find out. Whoever is sent back, because nobody
/// else serves, waits as long as he can.
void pool_state::leave_silent(time_point now) {
  if (said_silent_ || (pooled_.empty() && binds_.empty()) || now < silent_from()) return;
  note_silence(now);
  const auto why = pool_timed_out(situation(now), now - *waited_since_);
  for (wait_queue* q : {&pooled_, &binds_})
    for (auto at = q->begin(); at != q->end();)
      at = at->second.gives_up_at > now ? send_away(*q, at, why, false, now) : std::next(at);
}

void pool_state::watch_for_silence(time_point now) {
  if (said_silent_ || !waited_since_ || (pooled_.empty() && binds_.empty()) || !none_ready()) return;
  if (policy_.failover_timeout <= duration::zero() || draining_) return;
  // What a connect waits for changes without a word.
  wake_at(std::max(now, std::min(silent_from(), now + policy_.suspect_after / looks_again)));
}

/// All that is being set up waits for something of ours. Silence elsewhere ends that wait just when those who wait for
/// what is set up here would leave; they stay for a moment longer, or they would be sent to where the silence is.
bool pool_state::held_up(connection_kind kind) const noexcept {
  bool some = false;
  for (const auto& [id, s] : slots_) {
    if (s.kind != kind || s.state != slot_state::connecting) continue;
    if (!s.held_up()) return false;
    some = true;
  }
  return some;
}

/// What leaves unanswered what it carries is as good as none; a bind connection also when that is its first bind.
bool pool_state::none_ready(connection_kind kind) const noexcept {
  return std::none_of(slots_.begin(), slots_.end(), [kind](const auto& known) {
    const slot& s = known.second;
    const bool untried = kind == connection_kind::bind && s.load() > 0 && s.completed() == 0;
    return s.kind == kind && s.alive() && !s.silent() && !untried;
  });
}

/// Whoever comes next need not find out again. A connection that waits for something of ours is no evidence. It is said
/// again while somebody goes on waiting in vain: the breaker may have forgotten it.
void pool_state::note_silence(time_point now) {
  if ((said_silent_ && now < said_silent_at_ + policy_.suspect_after) || !none_ready()) return;
  const auto waits_for_server = [&](const auto& known) {
    const slot& s = known.second;
    return s.state == slot_state::connecting ? !s.held_up() : s.silent();
  };
  if (now < silent_from() && std::none_of(slots_.begin(), slots_.end(), waits_for_server)) return;
  said_silent_ = true;
  said_silent_at_ = now;
  actions_.push_back(pool_action::readiness{false});
}

void pool_state::serve_pooled(time_point now) {
  for (auto at = pooled_.begin(); at != pooled_.end();) {
    const auto next = std::next(at);
    if (at->second.token && at->second.token->cancelled()) {
      refuse(pooled_, at, pool_wait_cancelled(situation(now)), now);
    } else if (at->second.what == acquire_kind::shared) {
      if (!serve_shared(at, now)) return;
    } else if (serve_lease(at, now) == lease_service::blocks) {
      return;
    }
    at = next;
  }
}

bool pool_state::serve_shared(queue_position at, time_point now) {
  slot* s = slots_.least_loaded(connection_kind::pooled, policy_.max_in_flight);
  if (s == nullptr && ask_for_load(connection_kind::pooled))
    s = slots_.least_loaded(connection_kind::pooled, policy_.max_in_flight);
  if (s == nullptr) return false;
  note_opened_for(at->second, *s);
  mark_dispatched(*s, now);
  actions_.push_back(pool_action::dispatch{at->first, s->id});
  pooled_.erase(at);
  return true;
}

void pool_state::serve_binds(time_point now) {
  for (auto at = binds_.begin(); at != binds_.end();) {
    const auto next = std::next(at);
    if (at->second.token && at->second.token->cancelled()) {
      refuse(binds_, at, pool_wait_cancelled(situation(now)), now);
    } else {
      slot* s = slots_.least_loaded(connection_kind::bind, 1);
      if (s == nullptr && ask_for_load(connection_kind::bind)) s = slots_.least_loaded(connection_kind::bind, 1);
      if (s == nullptr) return;
      note_opened_for(at->second, *s);
      mark_dispatched(*s, now);
      actions_.push_back(pool_action::dispatch{at->first, s->id});
      binds_.erase(at);
    }
    at = next;
  }
}

pool_state::lease_service pool_state::serve_lease(queue_position at, time_point now) {
  const waiter& w = at->second;
  if (w.reserved != 0)
    if (slot* own = slots_.find(w.reserved)) return serve_reserved(at, *own, now);
  if (slot* idle = slots_.least_loaded(connection_kind::pooled, 1)) {
    grant(at, *idle, now);
    return lease_service::served;
  }
  slot* busy = slots_.least_loaded(connection_kind::pooled, std::numeric_limits<std::uint32_t>::max());
  if (busy == nullptr) busy = reservation_after(at, now);
  if (busy == nullptr) return lease_service::blocks;
  // The last connection that shared operations have is not taken from them while another one can be opened.
  const bool last = busy->state == slot_state::ready && slots_.count(now).ready == 1 && may_grow(now);
  if (last && busy->ask_for_load()) return lease_service::waits;
  reserve(at, *busy, now);
  return serve_reserved(at, *busy, now);
}

slot* pool_state::reservation_after(queue_position at, time_point now) {
  // Who came earlier and lost its own with its connection is ahead of whoever still has one.
  for (auto later = pooled_.end(); --later != at;)
    if (slot* theirs = slots_.find(later->second.reserved)) {
      unreserve(*theirs, now);
      return theirs;
    }
  return nullptr;
}

pool_state::lease_service pool_state::serve_reserved(queue_position at, slot& own, time_point now) {
  const bool still_busy = own.ask_for_load() || own.load() > 0;
  // Another one that runs empty sooner will do as well.
  slot* other = still_busy ? slots_.least_loaded(connection_kind::pooled, 1) : nullptr;
  if (still_busy && other == nullptr && ask_for_load(connection_kind::pooled))
    other = slots_.least_loaded(connection_kind::pooled, 1);
  if (other != nullptr)
    unreserve(own, now);
  else if (still_busy && (other = empty_one_after(at)) == nullptr)
    return lease_service::waits;
  grant(at, other != nullptr ? *other : own, now);
  return lease_service::served;
}

slot* pool_state::empty_one_after(queue_position at) {
  // Who came earlier takes what runs empty first; whoever it was kept for takes over the one that is still busy.
  for (auto later = std::next(at); later != pooled_.end() && later->second.reserved != 0; ++later) {
    slot* theirs = slots_.find(later->second.reserved);
    if (theirs == nullptr || theirs->load() > 0) continue;
    if (slot* own = slots_.find(at->second.reserved)) own->reserved_for = later->first;
    std::swap(at->second.reserved, later->second.reserved);
    return theirs;
  }
  return nullptr;
}

/// Its first use, by somebody who was there before it was ready.
void pool_state::note_opened_for(const waiter& who, const slot& s) {
  if (s.last_turn == 0 && who.waiter <= s.ready_after) ++totals_.fresh;
}

void pool_state::mark_dispatched(slot& s, time_point now) {
  if (breaker_ == breaker_state::closed) s.asked_until = {};
  ++s.dispatched;
  s.last_turn = ++turns_;
  s.last_used = now;
  ++totals_.dispatched;
  warm_until_ = now + policy_.max_idle_time;
}

void pool_state::reserve(queue_position at, slot& s, time_point now) {
  s.enter(slot_state::reserved, now);
  s.reserved_for = at->first;
  at->second.reserved = s.id;
}

void pool_state::unreserve(slot& s, time_point now) {
  if (s.state != slot_state::reserved) return;
  const auto at = pooled_.find(s.reserved_for);
  if (at != pooled_.end()) at->second.reserved = 0;
  s.reserved_for = 0;
  s.enter(slot_state::ready, now);
  freed_ = true;
}

void pool_state::grant(queue_position at, slot& s, time_point now) {
  const waiter& w = at->second;
  note_opened_for(w, s);
  s.enter(slot_state::leased, now);
  s.reserved_for = 0;
  s.leased_as = dependencies_.next_number();
  s.last_turn = ++turns_;
  s.last_used = now;
  lease_record l;
  l.id = s.leased_as;
  l.connection = s.id;
  l.holder = w.holder;
  l.granted = now;
  leases_.open(std::move(l));
  totals_.acquisition_time += now - w.since;
  actions_.push_back(pool_action::grant{w.waiter, s.leased_as, s.id});
  pooled_.erase(at);
}

bool pool_state::ask_for_load(connection_kind kind) const {
  bool changed = false;
  for (const auto& [id, s] : slots_)
    if (s.kind == kind && s.state == slot_state::ready && !s.ask_for_load()) changed = true;
  return changed;
}

pool_state::queue_position pool_state::refuse(wait_queue& q, queue_position at, failure_ptr why, time_point now) {
  if (slot* s = slots_.find(at->second.reserved)) unreserve(*s, now);
  actions_.push_back(pool_action::refuse{at->first, std::move(why)});
  return q.erase(at);
}

pool_state::queue_position pool_state::send_away(wait_queue& q, queue_position at, failure_ptr cause, bool counted,
                                                 time_point now) {
  if (counted && at->second.attempts >= policy_.max_attempts) return refuse(q, at, std::move(cause), now);
  if (slot* s = slots_.find(at->second.reserved)) unreserve(*s, now);
  actions_.push_back(pool_action::recast{at->first, std::move(cause), counted});
  return q.erase(at);
}

void pool_state::send_all_away(wait_queue& q, const failure_ptr& cause, bool counted, time_point now) {
  for (auto at = q.begin(); at != q.end();) at = send_away(q, at, cause, counted, now);
}

pool_state::release_outcome pool_state::release(lease_id id, time_point now) {
  if (const auto ended = leases_.close(id)) {
    end_lease(*ended, "returned", now);
    return {true, nullptr};
  }
  if (leases_.acknowledge_lost(id)) return {false, nullptr};
  return {false, pool_lease_unknown(situation(now), id)};
}

void pool_state::take_back(lease_id id, std::string_view why, time_point now) {
  const auto ended = leases_.close(id);
  if (!ended) return;
  note(log_level::warning, "lease " + std::to_string(id) + " of " + ended->holder + " taken back: " + std::string{why});
  end_lease(*ended, "taken back", now);
}

void pool_state::end_lease(const lease_record& ended, std::string_view how, time_point now) {
  actions_.push_back(pool_action::unwatch{ended.id});
  if (ended.reported)
    note(log_level::info, "leaked lease " + std::to_string(ended.id) + " of " + ended.holder + " " + std::string{how} +
                              " after " + format_span(now - ended.granted));
  slot* s = slots_.find(ended.connection);
  if (s != nullptr && s->state == slot_state::leased) {
    s->leased_as = 0;
    s->last_used = now;
    // Without pooling, what was opened for a lease goes with it.
    const bool surplus = policy_.single && pooled_.empty() && slots_.count(now).alive() > 1;
    if (s->retiring || surplus) {
      close(*s, now);
    } else {
      s->enter(slot_state::resetting, now);
      actions_.push_back(pool_action::reset{s->id, ended.id});
    }
  }
  settle(now);
}

pool_counts pool_state::counts(time_point now) const {
  const auto c = slots_.count(now);
  pool_counts n;
  n.size = c.sockets + probe_slots_;
  n.idle = c.idle + (c.bind_ready - c.bind_busy);
  n.in_use = c.ready - c.idle + c.occupied() + c.bind_busy;
  n.in_flight = c.in_flight;
  n.waiters = pooled_.size() + binds_.size();
  n.connecting = c.connecting + c.bind_connecting;
  return n;
}

pool_snapshot pool_state::snapshot(time_point now) const {
  pool_snapshot s = totals_;
  s.now = counts(now);
  s.min_connections = policy_.min;
  s.max_connections = policy_.max;
  s.leased = leases_.leased();
  s.acquired = leases_.acquired();
  s.released = leases_.released();
  s.leaks = leases_.leaks();
  s.completed = s.dispatched - s.now.in_flight;
  s.growth_limit = growth_.limit();
  if (last_.what) {
    s.last_error = describe(*last_.what);
    s.last_error_at = last_.at;
  }
  return s;
}

void pool_state::note(log_level level, std::string text) {
  actions_.push_back(pool_action::note{level, std::move(text)});
}

}  // namespace understudy
