// Requests, waiters and leases of a pool.
#include "understudy/actors/pool/pool_state.hpp"

#include "understudy/actors/ports/same_moment.hpp"

#include <algorithm>
#include <limits>

namespace understudy::internal {
namespace {

/// A pool's state is looked after at least this often.
constexpr duration housekeeping_interval = seconds{1};
/// Under load, whether another connection is due is not worked out for every operation.
constexpr duration crowd_check_interval = milliseconds{1};
/// Whoever waits where something is ready looks again so often within `suspect_after` whether that is still answered.
constexpr int looks_again = 4;

connection_kind kind_for(acquire_kind kind) noexcept {
  const bool bind = kind == acquire_kind::bind || kind == acquire_kind::bind_lease;
  return bind ? connection_kind::bind : connection_kind::pooled;
}

/// Of a connection's maximal lifetime, the part that is drawn at random, so that those opened together do not end so.
constexpr int lifetime_spread = 5;  // one fifth
/// The time within which connections bound with an earlier secret are replaced, when their lifetime is not limited.
constexpr duration secret_renewal_spread = seconds{600};
/// Reconnects in the background, when nobody waits for them, are spread over this.
constexpr duration background_spread = milliseconds{100};
/// After a refusal of the service's own credentials, a caller is answered with it for this long before the bind lockout
/// guard, which reads their source again, is asked anew: a corrected secret serves the next caller.
constexpr duration credential_recheck = seconds{1};
/// The same while nobody waits.
constexpr duration credential_pause = seconds{10};
/// A connection that lives for so long was worth opening, though nobody needed it.
constexpr duration useful_life = seconds{5};
/// Of connections that are lost in the same moment every one that was ended from outside has noticed it within this.
constexpr duration loss_noticed = milliseconds{50};
/// Between two warnings that a lease was lost with its connection.
constexpr duration loss_pause = seconds{60};
/// Open connections that are asked, one after the other, whether a failed connect means that the server is down.
constexpr int most_witnesses = 2;

/// While the breaker is open, nobody waits and connects are still tried this rarely.
constexpr duration trickle_interval = seconds{30};
/// Whether growth may be wider by now is not asked more often than this.
constexpr duration growth_recheck = milliseconds{50};
/// How long a connection stays before it makes room for one of the other kind.
constexpr duration shortest_turn = milliseconds{100};
/// The monitor is not asked for a probe's socket more often than this.
constexpr duration slot_asking_interval = seconds{1};

/// Idle bind connections are kept for this long at most: they serve nobody else.
constexpr duration bind_idle_time = seconds{60};
/// A connection that was told to close and says nothing for this long is let go of.
constexpr duration closing_time = seconds{10};
/// Whether permits for sockets have come is looked at this often while somebody waits for one.
constexpr duration permit_recheck = milliseconds{50};
/// After the deadline of a drain, the closed connections have this long to say so.
constexpr duration cut_off_time = milliseconds{200};

failure_ptr connect_overdue(const pool_policy& policy) {
  return make_failure(errc::connection_timeout, stage::connect,
                      "a connection to " + policy.server_name + " was neither ready nor refused in time; given up",
                      policy.server_name);
}

/// Between two requests of a burst: both are on their way to the same write.
constexpr duration one_burst = std::chrono::microseconds{20};

/// Connections that were made with other values are replaced within about this long.
constexpr duration settings_renewal_spread = seconds{5};

}  // namespace

pool_state::pool_state(pool_policy policy, pool_dependencies world, time_point now)
    : policy_(std::move(policy)),
      dependencies_(std::move(world)),
      rounds_(policy_.retry_base),
      bind_rounds_(policy_.retry_base),
      growth_(policy_.retry_base),
      housekeeping_at_(now + housekeeping_interval),
      loss_warnings_(loss_pause) {
  if (policy_.preload) warm_until_ = now + policy_.max_idle_time;
}

/// What comes in one moment leaves in one write, which takes longer than all the rest of a request. Null: another
/// connection is due.
slot* pool_state::gathering(time_point now) noexcept {
  if (gathered_ == 0 || gathered_ >= policy_.most_together) return nullptr;
  slot* s = slots_.find(gathers_);
  const bool fits = s != nullptr && s->takes_new() && now - s->dispatched_at <= one_burst &&
                    s->load() < comfortable_load(policy_.max_in_flight);
  return fits && !dependencies_.answers_in_turn(now) ? s : nullptr;
}

connection_id pool_state::try_dispatch(time_point now) {
  if (draining_ || !pooled_.empty()) return 0;
  slot* s = gathering(now);
  if (s == nullptr) {
    s = slots_.least_loaded(connection_kind::pooled, policy_.max_in_flight);
    if (s == nullptr) return 0;
    gathers_ = s->id;
    gathered_ = 0;
  }
  ++gathered_;
  const bool crowded = s->load() >= comfortable_load(policy_.max_in_flight);
  mark_dispatched(*s, now);
  if (crowded && now >= crowd_check_at_) {
    crowd_check_at_ = now + crowd_check_interval;
    reconcile(now);
  }
  return s->id;
}

waiter_id pool_state::enqueue(acquire_request request, time_point now) {
  waiter w;
  w.waiter = ++last_waiter_;
  w.what = request.what;
  w.since = now;
  w.gives_up_at = std::min(request.deadline, now + policy_.wait_timeout);
  w.leave_at = w.patient_until = w.gives_up_at;
  if (policy_.failover_timeout > duration::zero()) {
    w.patient_until = std::min(w.gives_up_at, now + policy_.failover_timeout);
    // By then the server has to have shown life, or others are tried.
    w.leave_at = std::min(w.patient_until, now + policy_.suspect_after);
  }
  w.token = request.token;
  w.attempts = request.attempts;
  w.holder = std::move(request.holder);
  warm_until_ = now + policy_.max_idle_time;
  const auto waiter = w.waiter;
  if (leaving_ || (draining_ && w.attempts < policy_.max_attempts)) {
    actions_.push_back(pool_action::redispatch{waiter, pool_is_draining(situation(now)), !leaving_});
  } else if (lost_ && policy_.failover_timeout > duration::zero() && w.attempts < policy_.max_attempts) {
    actions_.push_back(pool_action::redispatch{waiter, pool_is_lost(situation(now), *lost_), true});
  } else if (auto refused = refused_credentials(kind_for(w.what), now)) {
    if (policy_.failover_timeout > duration::zero() && w.attempts < policy_.max_attempts)
      actions_.push_back(pool_action::redispatch{waiter, std::move(refused), true});
    else
      actions_.push_back(pool_action::refuse{waiter, std::move(refused)});
  } else if (auto why = reason_to_refuse(request, now)) {
    actions_.push_back(pool_action::refuse{waiter, std::move(why)});
  } else {
    if (!waited_since_ && slots_.none_ready()) waited_since_ = now;
    auto& waiting = queue(kind_for(w.what));
    waiting.push(std::move(w));
    settle(now);
  }
  return waiter;
}

failure_ptr pool_state::reason_to_refuse(const acquire_request& request, time_point now) {
  const auto kind = kind_for(request.what);
  if (draining_) return pool_is_draining(situation(now));
  if (lost_) return pool_is_lost(situation(now), *lost_);
  if (pooled_.size() + binds_.size() >= policy_.max_waiters && !slots_.least_loaded(kind, 1) &&
      queue(kind).size() >= waiters_for_first(request.what, now)) {
    ++totals_.refused;
    return pool_queue_is_full(situation(now));
  }
  if (request.what == acquire_kind::lease && !request.may_wait && !lease_may_wait(now))
    return pool_is_exhausted(situation(now));
  return nullptr;
}

/// Why nobody need wait here for a connection: the next one would have to bind with what was refused.
failure_ptr pool_state::refused_credentials(connection_kind kind, time_point now) const {
  const bool refused = kind == connection_kind::pooled && credential_refusal_ && !rounds_.may_open(now, true) &&
                       slots_.count(now).alive() == 0;
  return refused ? pool_connect_failed(situation(now), *credential_refusal_) : nullptr;
}

/// Whoever waits for the first connection of its kind, and finds room on it, is no waiter too many: also while its
/// socket is one that is about to end, such as that of the only connection, which is being replaced.
std::uint32_t pool_state::waiters_for_first(acquire_kind kind, time_point now) {
  const auto c = slots_.count(now);
  const bool bind = kind_for(kind) == connection_kind::bind;
  // One that is being checked is back in a moment.
  if ((bind ? c.bind_ready : c.alive() - c.checking) > 0) return 0;
  auto coming = bind ? c.bind_connecting : c.connecting + c.checking;
  const auto other = bind ? connection_kind::pooled : connection_kind::bind;
  const bool room =
      socket_is_free(true, now) || c.leaving + probe_slots() > 0 || slots_.least_recently_used(other, true) != nullptr;
  if (coming == 0 && room) coming = 1;
  return kind == acquire_kind::shared ? coming * policy_.max_in_flight : coming;
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
  if (dependencies_.permits) keep_to_permits(now);
  leave_silent(now);
  leave_overdue(connection_kind::pooled, now);
  leave_overdue(connection_kind::bind, now);
  do {
    freed_ = false;
    serve_pooled(now);
  } while (freed_);  // somebody who came earlier may want it
  serve_binds(now);
  reconcile(now);
  if (dependencies_.permits) tell_demand(now);
  watch_for_silence(now);
}

void pool_state::leave_overdue(connection_kind kind, time_point now) {
  auto& q = queue(kind);
  bool in_vain = false;
  for (auto at = q.overdue(now); at != q.end(); at = q.overdue(now)) {
    const waiter& w = at->second;
    // Silence elsewhere ends that wait just when those who wait for what is set up here would leave; they stay for a
    // moment longer, or they would be sent to where the silence is.
    const bool soon =
        slots_.held_up(kind) && now < w.since + policy_.suspect_after + policy_.suspect_after / looks_again;
    if (w.patient_until > now && (soon || !slots_.none_ready(kind))) {
      q.postpone(at, std::min(w.patient_until, now + policy_.suspect_after / looks_again));
      continue;
    }
    auto why = pool_timed_out(situation(now), now - w.since, slots_.none_ready(kind) && slots_.held_up(kind));
    if (w.redispatch_on_leave()) {
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
  if (policy_.failover_timeout <= duration::zero() || draining_ || !waited_since_ || !slots_.none_ready())
    return time_point::max();
  const auto owed_since = slots_.owed_since();
  if (owed_since == time_point::max()) return owed_since;
  return std::max(owed_since, *waited_since_) + policy_.suspect_after;
}

/// Those whose deadlines are shorter than `suspect_after` would never find out. Whoever is sent back, because nobody
/// else serves, waits as long as possible.
void pool_state::leave_silent(time_point now) {
  if (said_silent_ || (pooled_.empty() && binds_.empty()) || now < silent_from()) return;
  note_silence(now);
  const auto why = pool_timed_out(situation(now), now - *waited_since_, false);
  for (wait_queue* q : {&pooled_, &binds_})
    for (auto at = q->begin(); at != q->end();)
      at = at->second.gives_up_at > now ? send_away(*q, at, why, false, now) : std::next(at);
}

void pool_state::watch_for_silence(time_point now) {
  if (said_silent_ || !waited_since_ || (pooled_.empty() && binds_.empty()) || !slots_.none_ready()) return;
  if (policy_.failover_timeout <= duration::zero() || draining_) return;
  // What a connect waits for changes without a word.
  wake_at(std::max(now, std::min(silent_from(), now + policy_.suspect_after / looks_again)));
}

/// Whoever comes next need not find out again. A connection that waits for something of ours is no evidence. It is said
/// again while somebody goes on waiting in vain: the breaker may have forgotten it.
void pool_state::note_silence(time_point now) {
  if ((said_silent_ && now < said_silent_at_ + policy_.suspect_after) || !slots_.none_ready()) return;
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
  if (s == nullptr && slots_.ask_for_load(connection_kind::pooled))
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
      if (s == nullptr && slots_.ask_for_load(connection_kind::bind)) s = slots_.least_loaded(connection_kind::bind, 1);
      if (s == nullptr) return;
      if (at->second.what == acquire_kind::bind_lease) {
        grant(binds_, at, *s, now);
      } else {
        note_opened_for(at->second, *s);
        mark_dispatched(*s, now);
        actions_.push_back(pool_action::dispatch{at->first, s->id});
        binds_.erase(at);
      }
    }
    at = next;
  }
}

pool_state::lease_service pool_state::serve_lease(queue_position at, time_point now) {
  const waiter& w = at->second;
  if (w.reserved != 0)
    if (slot* own = slots_.find(w.reserved)) return serve_reserved(at, *own, now);
  if (slot* idle = slots_.least_loaded(connection_kind::pooled, 1)) {
    grant(pooled_, at, *idle, now);
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
  if (still_busy && other == nullptr && slots_.ask_for_load(connection_kind::pooled))
    other = slots_.least_loaded(connection_kind::pooled, 1);
  if (other != nullptr)
    unreserve(own, now);
  else if (still_busy && (other = empty_one_after(at)) == nullptr)
    return lease_service::waits;
  grant(pooled_, at, other != nullptr ? *other : own, now);
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
void pool_state::note_opened_for(const waiter& w, const slot& s) {
  if (s.last_turn == 0 && w.waiter <= s.ready_after) ++totals_.fresh;
}

void pool_state::mark_dispatched(slot& s, time_point now) {
  if (breaker_ == breaker_state::closed) s.asked_until = {};
  ++s.dispatched;
  s.last_turn = ++turns_;
  s.last_used = s.dispatched_at = now;
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

void pool_state::grant(wait_queue& q, queue_position at, slot& s, time_point now) {
  const waiter& w = at->second;
  note_opened_for(w, s);
  s.enter(slot_state::leased, now);
  s.reserved_for = 0;
  s.leased_as = dependencies_.next_number();
  s.last_turn = ++turns_;
  s.last_used = s.dispatched_at = now;
  lease_record l;
  l.id = s.leased_as;
  l.connection = s.id;
  l.holder = w.holder;
  l.granted = now;
  l.may_last = w.what == acquire_kind::bind_lease;
  leases_.open(std::move(l));
  totals_.acquisition_time += now - w.since;
  actions_.push_back(pool_action::grant{w.waiter, s.leased_as, s.id});
  q.erase(at);
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
  actions_.push_back(pool_action::redispatch{at->first, std::move(cause), counted});
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
    note(log_level::info,
         "leaked lease " + std::to_string(ended.id) + " of " + ended.holder + " " + std::string{how} + " after " +
             time_taken(now - ended.granted),
         "leak");
  slot* s = slots_.find(ended.connection);
  if (s != nullptr && s->state == slot_state::leased) {
    s->leased_as = 0;
    s->last_used = now;
    // Without pooling, what was opened for a lease goes with it.
    const bool surplus =
        policy_.single && s->kind == connection_kind::pooled && pooled_.empty() && slots_.count(now).alive() > 1;
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
  n.size = c.sockets + probe_slots();
  n.idle = c.idle + (c.bind_ready - c.bind_busy);
  n.in_use = c.ready - c.idle + c.occupied() + c.bind_busy + c.bind_leased;
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
  const auto first = std::min(pooled_.oldest(), binds_.oldest());
  if (first != time_point::max()) s.longest_wait = now - first;
  if (last_.what) {
    s.last_error = describe(*last_.what);
    s.last_error_at = last_.at;
  }
  return s;
}

void pool_state::note(log_level level, std::string text, std::string_view component) {
  actions_.push_back(pool_action::note{level, std::move(text), component});
}

// ---- connections that come up, fail, drain and end ----

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
    if (growth_.passed(slots_.count(now).established() + probe_slots() + 1))
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
  const auto within =
      policy_.max_lifetime > duration::zero() ? policy_.max_lifetime / lifetime_spread : secret_renewal_spread;
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
  failed.growth = sockets() > growth_.limit();
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
  return (!probes_.empty() && young(probe_since_)) || std::any_of(slots_.begin(), slots_.end(), [&](const auto& known) {
           return known.second.state == slot_state::connecting && young(known.second.changed);
         });
}

/// Has an open connection checked, if there is one; checked() goes on.
bool pool_state::ask_another(failed_round& round, time_point now) {
  slot* s = round.asked_before < most_witnesses ? slots_.witness() : nullptr;
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
  if (!slots_.none_ready(round.kind)) return;
  // Connections of the other kind make room for what could not be one more.
  if (limited && round.growth) return;
  if (limited) no_room_before_ = growth_.retry_at();
  // Nothing serves here: whoever waits is better off elsewhere. Refused credentials do not go there too: that is for
  // the bind lockout guard to see to, and a server that has connections needs none.
  auto& waiting = queue(round.kind);
  const auto why = pool_connect_failed(situation(now), *round.cause);
  if (!refused || policy_.failover_timeout > duration::zero()) return send_all_away(waiting, why, true, now);
  for (auto at = waiting.begin(); at != waiting.end();) at = refuse(waiting, at, why, now);
}

/// What is open goes on, and may be replaced; more is tried again later.
void pool_state::meet_limit(const failed_round& round, time_point now) {
  const auto c = slots_.count(now);
  const auto open = c.established() + probe_slots();
  if (growth_.met(open, now, dependencies_.random))
    note(log_level::warning, "no more than " + std::to_string(open) + " connections can be had (" +
                                 round.cause->message + "); these go on serving, more will be tried from time to time");
  if (round.growth) rounds(round.kind).reset(now, dependencies_.random, duration::zero());
}

void pool_state::on_draining(connection_id id, const failure_ptr& cause, time_point now) {
  slot* s = slots_.find(id);
  if (s == nullptr || s->state == slot_state::connecting) return;
  if (cause) doubt_idle(*s, cause, now);
  if (s->state == slot_state::leased) {
    s->retiring = true;
    return;
  }
  if (s->state == slot_state::closing) return;
  unreserve(*s, now);
  s->enter(slot_state::draining, now);
  settle(now);
}

/// What made one connection unresponsive may have made others so that were open then: each idle one is asked before it
/// is given anything.
void pool_state::doubt_idle(const slot& unresponsive, const failure_ptr& cause, time_point now) {
  note(log_level::warning, cause->message + " Another takes its place.");
  const auto deadline = now + std::max<duration>(policy_.suspect_after / 2, dependencies_.patience());
  for (auto& [id, s] : slots_) {
    if (&s == &unresponsive || !s.takes_new() || s.load() > 0 || s.ready_since > unresponsive.dispatched_at) continue;
    s.checking = true;
    s.asked_until = deadline;
    actions_.push_back(pool_action::check{s.id, deadline, true});
  }
}

void pool_state::on_closed(connection_id id, failure_ptr cause, time_point now, bool broke_protocol) {
  slot* s = slots_.find(id);
  if (s == nullptr) return;
  if (s->state == slot_state::connecting) return on_failed(id, std::move(cause), now);
  if (cause) last_ = {cause, dependencies_.wall_now()};
  if (cause && s->was_ready) note_worth(*s, broke_protocol, now);
  if (cause) note_lost_requests(*s, cause, now);
  unreserve(*s, now);
  lose_lease_of(*s, cause, now);
  if (s->was_ready) ++totals_.closed;
  drop(id);
  if (cause) background_at_ = std::max(background_at_, now + up_to(background_spread, dependencies_.random));
  if (cause) note_loss(cause, now);
  settle(now);
}

/// A server may answer whoever connects and then end the connection: it is not connected to without end. What a lease
/// had answered is not told; of use it was if it lived for a while. One that breaks the protocol soon may have answered
/// something, and the next one breaks it too: neither kind is connected without a pause then.
void pool_state::note_worth(const slot& s, bool broke_protocol, time_point now) {
  const bool carried = s.completed() > 0;
  const bool lived = now - s.ready_since >= useful_life;
  if (lived || (carried && !broke_protocol)) return rounds(s.kind).prove();
  if (!carried) rounds(s.kind).end_early(s.ready_since, now, dependencies_.random);
  if (!broke_protocol) return;
  for (auto* r : {&rounds_, &bind_rounds_}) r->break_protocol(s.ready_since, now, dependencies_.random);
}

/// Connections that were open together and end together have one cause, say a firewall, and count once. One that was
/// given a request after that was noticed, and ends with it, did not end together with them.
void pool_state::note_lost_requests(const slot& s, const failure_ptr& cause, time_point now) {
  // What a lease had under way is not told; one that is lost soon was not just idle for too long.
  const bool lost = s.load() > 0 || (s.leased_as != 0 && now - s.dispatched_at < useful_life);
  if (!lost || !counts_against_server(classify(*cause))) return;
  const auto before = std::exchange(requests_lost_at_, now);
  if (!before || now - *before >= same_moment || s.ready_since > *before) return;
  if (s.dispatched_at <= *before + loss_noticed) return;
  actions_.push_back(pool_action::lost_requests{cause, s.dispatched_at});
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
  for (wait_queue* q : {&pooled_, &binds_}) send_all_away(*q, why, true, now);
}

void pool_state::lose_lease_of(slot& s, const failure_ptr& cause, time_point now) {
  if (s.leased_as == 0) return;
  const auto ended = leases_.mark_lost(std::exchange(s.leased_as, 0));
  if (!ended) return;
  actions_.push_back(pool_action::unwatch{ended->id});
  auto text = "lease " + std::to_string(ended->id) + " of " + ended->holder + " lost with its connection after " +
              time_taken(now - ended->granted);
  if (cause) text += ": " + cause->message;
  // A server that ends connections ends one after the other, which each holder learns from its next request.
  const auto more = loss_warnings_.pass(now);
  if (more.value_or(0) != 0) text += " (and " + std::to_string(*more) + " more before)";
  note(more ? log_level::warning : log_level::debug, std::move(text));
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
  if (works)
    s.validated = now;
  else if (s.state == slot_state::leased)
    s.retiring = true;
  else if (s.alive())
    close(s, now);
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
/// holder of a lease learns that it needs another one.
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
  auto permit = take_permit();
  if (!permit) return false;
  probes_.push_back(std::move(*permit));
  probe_since_ = now;
  return true;
}

void pool_state::give_probe_slot(time_point now) {
  if (!probes_.empty()) probes_.pop_back();
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
  probes_ = old.probes_;
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

// ---- opening, replacing, making room ----

void pool_state::reconcile(time_point now) {
  wake_ = time_point::max();
  if (draining_) return proceed_with_drain(now);
  auto c = slots_.count(now);
  if (!binds_.empty() || c.bind_expired > 0) {
    reconcile_binds(c, now);
    c = slots_.count(now);
  }
  reconcile_pooled(c, now);
}

std::uint32_t pool_state::floor(time_point now) const noexcept {
  if (!policy_.reconnect && filled_) return 0;
  return policy_.standby && now >= warm_until_ ? std::min(policy_.min, 1U) : policy_.min;
}

std::uint32_t pool_state::pooled_ceiling(const slot_counts& c, time_point now) const noexcept {
  const auto others = c.sockets - c.pooled() + probe_slots();
  const auto most = most_sockets(c.pooled() > 0 || pooled_.empty(), now);
  return std::min(policy_.max_pooled, most > others ? most - others : 0);
}

std::uint32_t pool_state::pooled_target(const slot_counts& c, std::uint32_t ceiling, time_point now) const noexcept {
  pool_demand d;
  d.floor = floor(now);
  d.ceiling = ceiling;
  d.occupied = c.occupied() + c.checking + c.behind;
  d.lease_waiters = pooled_.leases();
  d.shared_load = c.in_flight + pooled_.shared();
  d.max_in_flight = policy_.max_in_flight;
  if (policy_.single) {
    d.max_sharing = 1;
    d.occupied -= c.resetting;  // back in a moment, and no reason for another one
  }
  return target_size(d);
}

std::uint32_t pool_state::width(const slot_counts& c, time_point now) const noexcept {
  if (!breaker_lets_through()) return 1;
  const bool nothing_open = c.alive() == 0;
  if (!pooled_.empty())
    return growth_width(now - pooled_.oldest(), rounds_.typical_connect(), nothing_open, policy_.max_connecting);
  return first_filling() ? policy_.max_connecting : 1;
}

bool pool_state::may_grow(time_point now) const {
  const auto c = slots_.count(now);
  return !draining_ && c.pooled() < pooled_ceiling(c, now) && (!rounds_.failing() || c.connecting > 0);
}

bool pool_state::open_one(connection_kind kind, time_point now) {
  if (lost_) return false;
  auto& r = rounds(kind);
  const bool waited_for = !queue(kind).empty();
  if (!r.may_open(now, waited_for)) {
    wake_at(r.retry_at(waited_for));
    return false;
  }
  auto permit = take_permit();
  if (!permit) return false;
  slot s;
  s.id = dependencies_.next_number();
  s.kind = kind;
  s.permit = std::move(*permit);
  s.round = r.open();
  s.enter(slot_state::connecting, now);
  s.last_used = now;
  actions_.push_back(pool_action::open{s.id, kind, s.permit});
  slots_.add(std::move(s));
  return true;
}

void pool_state::reconcile_binds(const slot_counts& c, time_point now) {
  // They are opened when somebody needs one: an old one just goes, one at a time, while the server takes new ones.
  const bool replaceable = c.leaving == 0 && !rounds_.failing() && !bind_rounds_.failing();
  if (c.bind_expired > 0 && replaceable) retire_expired(connection_kind::bind, now);
  if (binds_.empty()) return;
  const auto wanted = std::min(policy_.max_bind, c.bind_busy + binds_.size());
  auto have = c.binds();
  auto connecting = c.connecting + c.bind_connecting;
  for (; have < wanted && connecting < policy_.max_connecting; ++have, ++connecting) {
    // Those who have one of their own leave one for everybody else.
    if (c.bind_leased > 0 && have + c.bind_leased + 1 >= permitted()) return;
    if (!socket_is_free(have > 0, now)) return make_room(connection_kind::bind, c, now);
    if (!open_one(connection_kind::bind, now)) return;
  }
  const bool has_room = connecting < policy_.max_connecting && have < policy_.max_bind && socket_is_free(true, now);
  if (connecting > 0) pass_by_hanging(connection_kind::bind, has_room, now);
}

void pool_state::reconcile_pooled(slot_counts c, time_point now) {
  if (c.ready >= policy_.min) filled_ = true;
  const auto ceiling = pooled_ceiling(c, now);
  const auto target = pooled_target(c, ceiling, now);
  if (c.expired > 0) replace_expired(c, target, now);
  const auto wanted = std::min(target + (c.expired > 0 ? 1 : 0), ceiling);
  const bool waited_for = !pooled_.empty();
  const bool may_pause = (c.alive() > 0 && !first_filling()) || credential_refusal_ != nullptr;
  if (c.pooled() < wanted && !waited_for && now < background_at_ && may_pause) return wake_at(background_at_);
  while (c.pooled() < wanted && c.connecting + c.bind_connecting < policy_.max_connecting) {
    if (c.connecting >= width(c, now)) {
      if (waited_for) wake_at(std::max(pooled_.oldest() + rounds_.typical_connect(), now + growth_recheck));
      return;
    }
    if (!open_one(connection_kind::pooled, now)) return;
    ++c.connecting;
    ++c.sockets;
    if (!breaker_lets_through()) rounds_.hold_until(now + trickle_interval);
  }
  const auto connecting = c.connecting + c.bind_connecting;
  if (waited_for && (c.connecting > 0 || connecting >= policy_.max_connecting))
    pass_by_hanging(connection_kind::pooled, connecting < policy_.max_connecting && c.pooled() < ceiling, now);
  // Idle connections of the other kind go when somebody waits for what they keep from being opened.
  if (waited_for && c.pooled() >= ceiling && c.pooled() < pooled_target(c, policy_.max_pooled, now))
    make_room(connection_kind::pooled, c, now);
  if (waited_for && growth_.known() && growth_.retry_at() > now) wake_at(growth_.retry_at());
}

/// Somebody waits, and whatever is being set up hangs: another one is begun beside it or, without room, in place of
/// one. The oldest of all is left alone where it can be, so that a server that takes its time is reached; what was
/// begun before a server was repaired is never answered, so the others are not waited for beyond the longest backoff.
/// Where there is one alone the pauses double.
void pool_state::pass_by_hanging(connection_kind kind, bool has_room, time_point now) {
  auto& r = rounds(kind);
  if (!r.may_open(now, true)) return wake_at(r.retry_at(true));
  const auto is = [&](const slot& s, bool of_kind) {
    return s.state == slot_state::connecting && (s.kind == kind) == of_kind;
  };
  // What of the other kind keeps this one from being opened at all has to go as well.
  const bool own = std::any_of(slots_.begin(), slots_.end(), [&](const auto& entry) { return is(entry.second, true); });
  const auto older = [](slot* known, slot& s) { return known == nullptr || s.changed < known->changed ? &s : known; };
  slot* oldest = nullptr;  // of both kinds
  for (auto& [id, s] : slots_)
    if (s.state == slot_state::connecting) oldest = older(oldest, s);
  slot* next = nullptr;  // the oldest that is not left alone
  auto newest = time_point::min();
  for (auto& [id, s] : slots_) {
    if (!is(s, own)) continue;
    newest = std::max(newest, s.awaited_since());
    if (&s != oldest) next = older(next, s);
  }
  // What waits for something of ours is looked at again with the next tick.
  if (newest == time_point::min() || newest == time_point::max()) return;
  const auto most = has_room || next != nullptr ? std::min(policy_.longest_setup_patience, policy_.connect_timeout)
                                                : policy_.connect_timeout;
  if (const auto due = newest + r.patience(policy_.setup_patience, most); now < due) return wake_at(due);
  if (!has_room) close(next != nullptr ? *next : *oldest, now);
  if (socket_is_free(true, now)) open_one(kind, now);
  r.lose_patience();
}

/// The server sets up others: one that was begun earlier and still hangs will hardly be answered any more.
void pool_state::replace_overtaken(time_point now) {
  for (auto& [id, s] : slots_)
    if (s.state == slot_state::connecting && s.changed < overtaken_before_ &&
        s.awaited_since() <= now - std::max(policy_.setup_patience, 2 * rounds(s.kind).typical_connect()))
      close(s, now);
}

void pool_state::replace_expired(const slot_counts& c, std::uint32_t target, time_point now) {
  const bool spare = c.alive() > target;
  // Without a free socket the old one has to go first, one at a time; not while no connects succeed: where a new one
  // cannot be had beside it, it may not be had in its place either.
  const bool connects = !rounds_.failing() && !growth_.known();
  const bool no_room = c.pooled() >= pooled_ceiling(c, now) && c.connecting + c.leaving == 0 && connects;
  if (spare || no_room) retire_expired(connection_kind::pooled, now);
}

void pool_state::retire_expired(connection_kind kind, time_point now) {
  if (slot* oldest = slots_.first_expired(kind, now)) retire(*oldest, now);
}

void pool_state::make_room(connection_kind needy, const slot_counts& c, time_point now) {
  if (c.leaving > 0 || ask_for_probe_slot(now)) return;
  if (now < no_room_before_) return wake_at(no_room_before_);
  const auto other = needy == connection_kind::bind ? connection_kind::pooled : connection_kind::bind;
  slot* victim = slots_.least_recently_used(other, true);
  // A busy one only has to go when its kind would otherwise hold every socket against somebody who came earlier.
  const auto none_of_own = needy == connection_kind::bind ? c.binds() == 0 : c.pooled() == 0;
  if (victim == nullptr && none_of_own && queue(needy).oldest() < queue(other).oldest())
    victim = slots_.least_recently_used(other, false);
  if (victim == nullptr) return;
  // A working connection is not closed for a kind whose last connect failed.
  const auto of_other = needy == connection_kind::bind ? c.alive() : c.bind_ready;
  if (in_vain_ > 1 && of_other <= 1) return;
  // Where both kinds want the last socket, each keeps it for a moment: the price of a turn is a connect.
  if (now - victim->ready_since < shortest_turn) return wake_at(victim->ready_since + shortest_turn);
  retire(*victim, now);
}

/// What others than this pool have open, one that a reload has left behind, takes from what it may have.
std::uint32_t pool_state::permitted() const noexcept {
  if (!dependencies_.permits) return policy_.max;
  const auto allowed = dependencies_.permits->allowed();
  const auto opened = dependencies_.permits->opened();
  const auto elsewhere = opened > sockets() ? opened - sockets() : 0;
  return std::min(policy_.max, allowed > elsewhere ? allowed - elsewhere : 0);
}

std::optional<socket_permit> pool_state::take_permit() const {
  if (!dependencies_.permits) return socket_permit{};
  auto taken = internal::take_permit(dependencies_.permits);
  return taken ? std::optional{std::move(taken)} : std::nullopt;
}

/// What was lent to us is asked back, or what was ours is needed by nobody: sockets above that go, those that idle at
/// once.
void pool_state::keep_to_permits(time_point now) {
  if (draining_ || dependencies_.permits->opened() <= dependencies_.permits->allowed()) return;
  trim(now);
  // That of a probe comes back in a moment.
  if (sockets() > permitted()) ask_for_probe_slot(now);
}

/// Says how many sockets would be of use, so that they are borrowed or lent; looks again while somebody waits for one.
void pool_state::tell_demand(time_point now) {
  auto wanted = 0U;
  if (!draining_) {
    const auto c = slots_.count(now);
    const auto most = std::min(policy_.max, growth_.most(now));
    const auto binds = std::min(policy_.max_bind, std::max(c.binds(), c.bind_busy + binds_.size()));
    const auto others = std::min(binds + probe_slots(), most);
    wanted = others + pooled_target(c, std::min(policy_.max_pooled, most - others), now);
    const bool short_of_it = wanted > dependencies_.permits->allowed();
    if (short_of_it && !(pooled_.empty() && binds_.empty())) wake_at(now + permit_recheck);
  }
  dependencies_.permits->want(wanted);
}

/// A probe needs no socket of its own while others answer. True while it may be given back in a moment.
bool pool_state::ask_for_probe_slot(time_point now) {
  if (probes_.empty()) return false;
  if (now - slot_asked_at_ >= slot_asking_interval) {
    slot_asked_at_ = now;
    actions_.push_back(pool_action::ask_for_probe_slot{});
  }
  // A probe under way keeps it until its end.
  const auto until = slot_asked_at_ + shortest_turn;
  if (now < until) wake_at(until);
  return now < until;
}

// ---- deadlines, idle and old connections, leaks, the end ----

time_point pool_state::next_event() const {
  if (drained_) return time_point::max();
  auto next = std::min({pooled_.next_leave(), binds_.next_leave(), leases_.next_claim(), wake_, housekeeping_at_});
  if (draining_) next = std::min(next, cut_ ? drain_deadline_ + cut_off_time : drain_deadline_);
  return next;
}

void pool_state::tick(time_point now) {
  for (const auto id : leases_.unclaimed(now)) take_back(id, "the grant was not claimed within 1 s", now);
  if (now >= housekeeping_at_) {
    housekeeping_at_ = now + housekeeping_interval;
    housekeeping(now);
  }
  settle(now);
}

void pool_state::housekeeping(time_point now) {
  note_use(now);
  growth_.expire(now);
  watch_over(now);
  replace_overtaken(now);
  report_leaks(now);
  if (draining_) return;
  shrink(policy_.max_idle_time, now);
  validate_idle(now);
}

void pool_state::note_use(time_point now) {
  for (auto& [id, s] : slots_)
    if (s.state == slot_state::leased || s.load() > 0) s.last_used = now;
}

std::uint32_t pool_state::shrink(duration idle_for, time_point now) {
  std::uint32_t closed = 0;
  const auto binds_idle_for = std::min(idle_for, bind_idle_time);
  std::vector<slot*> idle;
  for (auto& [id, s] : slots_) {
    if (s.state != slot_state::ready || s.load() > 0) continue;
    if (s.kind == connection_kind::pooled && now - s.last_used >= idle_for) idle.push_back(&s);
    if (s.kind == connection_kind::bind && now - s.last_used >= binds_idle_for) {
      retire(s, now);
      ++closed;
    }
  }
  std::sort(idle.begin(), idle.end(), [](const slot* a, const slot* b) { return a->last_turn < b->last_turn; });
  auto alive = slots_.count(now).alive();
  for (slot* s : idle) {
    if (alive <= floor(now)) break;
    retire(*s, now);
    --alive;
    ++closed;
  }
  return closed;
}

std::uint32_t pool_state::cleanup(time_point now) {
  const auto closed = draining_ ? 0 : shrink(duration::zero(), now);
  settle(now);
  return closed;
}

void pool_state::validate_idle(time_point now) {
  if (policy_.validate_interval <= duration::zero()) return;
  const auto c = slots_.count(now);
  // Nothing new goes to what is checked: half of them at a time stay at hand.
  auto at_most = (c.ready + 1) / 2;
  at_most -= std::min(at_most, c.checking);
  const auto seen_working = [](const slot& s) { return std::max(s.validated, s.last_used); };
  std::vector<slot*> due;
  for (auto& [id, s] : slots_) {
    if (!s.takes_new() || s.kind != connection_kind::pooled || s.load() > 0) continue;
    if (now - seen_working(s) >= policy_.validate_interval) due.push_back(&s);
  }
  std::sort(due.begin(), due.end(), [&](auto* a, auto* b) { return seen_working(*a) < seen_working(*b); });
  due.resize(std::min<std::size_t>(due.size(), at_most));
  for (slot* s : due) {
    s->checking = true;
    s->asked_until = check_deadline(now);
    actions_.push_back(pool_action::check{s->id, check_deadline(now), true});
  }
}

void pool_state::watch_over(time_point now) {
  std::vector<connection_id> mute, hanging;
  const auto connect_time = 2 * policy_.connect_timeout + closing_time;
  for (auto& [id, s] : slots_) {
    const auto age = now - s.changed;
    if (s.state == slot_state::closing && age >= closing_time) mute.push_back(id);
    if (s.state == slot_state::draining && s.load() == 0 && age >= closing_time) close(s, now);
    if (s.state == slot_state::connecting && age >= connect_time) hanging.push_back(id);
  }
  for (const auto id : mute) on_closed(id, nullptr, now);
  for (const auto id : hanging) {
    actions_.push_back(pool_action::close{id});
    on_failed(id, connect_overdue(policy_), now);
  }
}

void pool_state::report_leaks(time_point now) {
  if (policy_.leak_threshold <= duration::zero()) return;
  for (const auto& l : leases_.overdue(now, policy_.leak_threshold))
    note(log_level::warning,
         "possible leak: lease " + std::to_string(l.id) + " of " + policy_.server_name + " is held by " + l.holder +
             " for " + time_taken(now - l.granted),
         "leak");
}

void pool_state::drain(time_point deadline, time_point now) {
  draining_ = true;
  drain_deadline_ = std::min(drain_deadline_, deadline);
  if (drained_) actions_.push_back(pool_action::drained{!cut_});
  settle(now);
}

void pool_state::proceed_with_drain(time_point now) {
  if (drained_) return;
  if (now >= drain_deadline_ && !cut_) cut_off(now);
  for (auto& [id, s] : slots_) {
    const bool needed = !queue(s.kind).empty();
    if (s.state == slot_state::connecting && !needed) close(s, now);
    if (s.state == slot_state::ready && !needed) retire(s, now);
  }
  const auto c = slots_.count(now);
  if (!cut_ && !pooled_.empty() && c.pooled() == 0 && socket_is_free(true, now)) open_one(connection_kind::pooled, now);
  if (!cut_ && !binds_.empty() && c.binds() == 0 && socket_is_free(true, now)) open_one(connection_kind::bind, now);
  if (slots_.size() == 0 && pooled_.empty() && binds_.empty()) return finish_drain(!cut_);
  if (cut_ && now >= drain_deadline_ + cut_off_time) {
    std::vector<connection_id> mute;
    for (const auto& [id, s] : slots_) mute.push_back(id);
    for (const auto id : mute) drop(id);
    finish_drain(false);
  }
}

void pool_state::cut_off(time_point now) {
  cut_ = true;
  const auto why = pool_is_draining(situation(now));
  for (wait_queue* q : {&pooled_, &binds_})
    for (auto at = q->begin(); at != q->end();) at = refuse(*q, at, why, now);
  for (auto& [id, s] : slots_)
    if (s.state != slot_state::closing) close(s, now);
}

void pool_state::finish_drain(bool clean) {
  drained_ = true;
  actions_.push_back(pool_action::drained{clean});
}

// ---- changed settings, and a server that is taken out ----

void pool_state::reconfigure(pool_policy policy, bool renew, time_point now) {
  if (policy.min > policy_.min) filled_ = false;
  policy_ = std::move(policy);
  warm_until_ = std::min(warm_until_, now + policy_.max_idle_time);
  for (auto* r : {&rounds_, &bind_rounds_}) r->set_base(policy_.retry_base);
  growth_.set_base(policy_.retry_base);
  if (policy_.max_lifetime > duration::zero())
    for (auto& [id, s] : slots_) s.expires = std::min(s.expires, now + policy_.max_lifetime);
  // What was lost is connected to again, as it would have been had this been on before.
  if (policy_.reconnect && std::exchange(lost_, nullptr)) filled_ = false;
  if (renew) renew_all(now);
  trim(now);
  settle(now);
}

/// Make before break: what serves goes on until one that was made with the new values is ready.
void pool_state::renew_all(time_point now) {
  for (auto& [id, s] : slots_)
    if (s.state == slot_state::connecting)
      close(s, now);
    else if (s.kind == connection_kind::bind && s.state == slot_state::ready)
      retire(s, now);
    else if (s.alive())
      s.expires = std::min(s.expires, now + up_to(settings_renewal_spread, dependencies_.random));
  credential_refusal_ = nullptr;
  growth_.forget();
  in_vain_ = 0;
  no_room_before_ = time_point{};
  for (auto* r : {&rounds_, &bind_rounds_}) r->reset(now, dependencies_.random, duration::zero());
}

/// To a maximum that was lowered: first what connects, then what idles; what is in use goes when it is free.
void pool_state::trim(time_point now) {
  const auto c = slots_.count(now);
  const auto surplus = [](std::uint32_t have, std::uint32_t most) { return have > most ? have - most : 0U; };
  const auto most = permitted();
  const auto most_binds = std::min(policy_.max_bind, c.pooled() > 0 ? surplus(most, 1) : most);
  const auto others = std::min(c.binds(), most_binds) + probe_slots();
  trim(connection_kind::bind, surplus(c.binds(), most_binds), now);
  trim(connection_kind::pooled, surplus(c.pooled(), std::min(policy_.max_pooled, surplus(most, others))), now);
}

void pool_state::trim(connection_kind kind, std::uint32_t surplus, time_point now) {
  std::vector<slot*> candidates;
  for (auto& [id, s] : slots_)
    if (s.kind == kind && (s.alive() || s.state == slot_state::connecting)) candidates.push_back(&s);
  const auto rank = [](const slot* s) {
    if (s->state == slot_state::connecting) return 0;
    return s->state == slot_state::ready && s->load() == 0 ? 1 : 2;
  };
  std::sort(candidates.begin(), candidates.end(), [&](const slot* a, const slot* b) {
    return std::pair{rank(a), a->last_turn} < std::pair{rank(b), b->last_turn};
  });
  for (slot* s : candidates) {
    if (surplus == 0) return;
    --surplus;
    if (s->state == slot_state::connecting)
      close(*s, now);
    else if (s->state == slot_state::ready)
      retire(*s, now);
    else
      s->expires = now;
  }
}

void pool_state::leave(time_point deadline, time_point now) {
  leaving_ = true;
  const auto why = pool_is_draining(situation(now));
  for (wait_queue* q : {&pooled_, &binds_}) send_all_away(*q, why, false, now);
  drain(deadline, now);
}

}  // namespace understudy::internal
