// What a pool does as time passes: deadlines, idle and old connections, leaks, and the end of it all.
#include "understudy/actors/pool/pool_state.hpp"

#include <algorithm>

namespace understudy {
namespace {

constexpr duration housekeeping_interval = seconds{1};
/// Idle bind connections are kept for this long at most: they serve nobody else.
constexpr duration bind_idle_time = seconds{60};
/// A connection that was told to close and says nothing for this long is let go of.
constexpr duration closing_time = seconds{10};
/// After the deadline of a drain, the closed connections have this long to say so.
constexpr duration cut_off_time = milliseconds{200};

failure_ptr connect_overdue(const pool_policy& policy) {
  return make_failure(errc::connection_timeout, stage::connect,
                      "a connection to " + policy.server_name + " was neither ready nor refused in time; given up",
                      policy.server_name);
}

}  // namespace

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
    note(log_level::warning, "possible leak: lease " + std::to_string(l.id) + " of " + policy_.server_name +
                                 " is held by " + l.holder + " for " + format_span(now - l.granted));
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

}  // namespace understudy
