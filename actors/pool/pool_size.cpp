// How a pool reaches the number of connections it should have: opening, replacing, making room.
#include "understudy/actors/pool/pool_state.hpp"

#include <algorithm>

namespace understudy {
namespace {

/// While the breaker is open, nobody waits and connects are still tried this rarely.
constexpr duration trickle_interval = seconds{30};
/// Whether growth may be wider by now is not asked more often than this.
constexpr duration growth_recheck = milliseconds{50};
/// How long a connection stays before it makes room for one of the other kind.
constexpr duration shortest_turn = milliseconds{100};
/// The monitor is not asked for a probe's socket more often than this.
constexpr duration slot_asking_interval = seconds{1};

}  // namespace

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
  const auto others = c.sockets - c.pooled() + probe_slots_;
  const auto most = most_sockets(c.pooled() > 0 || pooled_.empty(), now);
  return std::min(policy_.max_pooled, most > others ? most - others : 0);
}

std::uint32_t pool_state::pooled_target(const slot_counts& c, std::uint32_t ceiling, time_point now) const noexcept {
  pool_demand d;
  d.floor = floor(now);
  d.ceiling = ceiling;
  d.occupied = c.occupied() + c.checking;
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
  slot s;
  s.id = dependencies_.next_number();
  s.kind = kind;
  s.round = r.open();
  s.enter(slot_state::connecting, now);
  s.last_used = now;
  actions_.push_back(pool_action::open{s.id, kind});
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

duration pool_state::setup_patience(connection_kind kind) const noexcept {
  return rounds(kind).patience(policy_.setup_patience, policy_.connect_timeout);
}

/// Somebody waits, and whatever is being set up hangs: another one is begun beside it or, without room, in place of the
/// oldest. The pauses between those double, so that a server that takes its time is reached all the same.
void pool_state::pass_by_hanging(connection_kind kind, bool has_room, time_point now) {
  auto& r = rounds(kind);
  if (!r.may_open(now, true)) return wake_at(r.retry_at(true));
  const auto is = [&](const slot& s, bool of_kind) {
    return s.state == slot_state::connecting && (s.kind == kind) == of_kind;
  };
  // What of the other kind keeps this one from being opened at all has to go as well.
  const bool own = std::any_of(slots_.begin(), slots_.end(), [&](const auto& one) { return is(one.second, true); });
  slot* oldest = nullptr;
  time_point newest = time_point::min();
  for (auto& [id, s] : slots_) {
    if (!is(s, own)) continue;
    newest = std::max(newest, s.awaited_since());
    if (oldest == nullptr || s.changed < oldest->changed) oldest = &s;
  }
  // What waits for something of ours is looked at again with the next tick.
  if (oldest == nullptr || newest == time_point::max()) return;
  if (const auto due = newest + setup_patience(kind); now < due) return wake_at(due);
  if (!has_room) close(*oldest, now);
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
  slot* oldest = nullptr;
  for (auto& [id, s] : slots_)
    if (s.kind == kind && s.state == slot_state::ready && s.expires <= now &&
        (oldest == nullptr || s.expires < oldest->expires))
      oldest = &s;
  if (oldest != nullptr) retire(*oldest, now);
}

void pool_state::make_room(connection_kind needy, const slot_counts& c, time_point now) {
  if (c.leaving > 0 || ask_for_probe_slot(now)) return;
  if (now < no_room_before_) return wake_at(no_room_before_);
  const auto other = needy == connection_kind::bind ? connection_kind::pooled : connection_kind::bind;
  slot* victim = least_recently_used(other, true);
  // A busy one only has to go when its kind would otherwise hold every socket against somebody who came earlier.
  const auto none_of_own = needy == connection_kind::bind ? c.binds() == 0 : c.pooled() == 0;
  if (victim == nullptr && none_of_own && queue(needy).oldest() < queue(other).oldest())
    victim = least_recently_used(other, false);
  if (victim == nullptr) return;
  // What serves is not given for what was in vain the last time.
  const auto of_other = needy == connection_kind::bind ? c.alive() : c.bind_ready;
  if (in_vain_ > 1 && of_other <= 1) return;
  // Where both kinds want the last socket, each keeps it for a moment: the price of a turn is a connect.
  if (now - victim->ready_since < shortest_turn) return wake_at(victim->ready_since + shortest_turn);
  retire(*victim, now);
}

/// A probe needs no socket of its own while others answer. True while it may be given back in a moment.
bool pool_state::ask_for_probe_slot(time_point now) {
  if (probe_slots_ == 0) return false;
  if (now - slot_asked_at_ >= slot_asking_interval) {
    slot_asked_at_ = now;
    actions_.push_back(pool_action::ask_for_probe_slot{});
  }
  // A probe under way keeps it until its end.
  const auto until = slot_asked_at_ + shortest_turn;
  if (now < until) wake_at(until);
  return now < until;
}

slot* pool_state::least_recently_used(connection_kind kind, bool idle_only) {
  slot* found = nullptr;
  for (auto& [id, s] : slots_) {
    if (s.kind != kind || s.state != slot_state::ready || (idle_only && s.load() > 0)) continue;
    if (found == nullptr || s.last_turn < found->last_turn) found = &s;
  }
  return found;
}

}  // namespace understudy
