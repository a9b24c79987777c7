// Counting connections and choosing among them.
#include "understudy/actors/pool/slots.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

/// Ready candidates among which the least loaded is looked for before any with room will do.
constexpr std::size_t compared_at_most = 64;

void count_bind(slot_counts& c, const slot& s, time_point now) noexcept {
  if (s.state == slot_state::connecting) ++c.bind_connecting;
  if (s.state == slot_state::leased || s.state == slot_state::resetting) ++c.bind_leased;
  if (s.state != slot_state::ready) return;
  ++c.bind_ready;
  if (s.load() > 0) ++c.bind_busy;
  if (s.expires <= now) ++c.bind_expired;
}

void count_ready(slot_counts& c, const slot& s, time_point now) noexcept {
  ++c.ready;
  if (s.load() == 0) ++c.idle;
  if (s.checking)
    ++c.checking;
  else if (s.reader_behind())
    ++c.behind;
  if (s.expires <= now) ++c.expired;
}

void count_pooled(slot_counts& c, const slot& s, time_point now) noexcept {
  switch (s.state) {
    case slot_state::connecting:
      ++c.connecting;
      break;
    case slot_state::ready:
      count_ready(c, s, now);
      break;
    case slot_state::reserved:
      ++c.reserved;
      break;
    case slot_state::leased:
      ++c.leased;
      break;
    case slot_state::resetting:
      ++c.resetting;
      break;
    case slot_state::draining:
    case slot_state::closing:
      break;
  }
}

}  // namespace

std::uint32_t slot::load() const noexcept {
  const auto done = meter.completed ? meter.completed->load() : dispatched;
  return done >= dispatched ? 0 : static_cast<std::uint32_t>(dispatched - done);
}

bool slot::ask_for_load() const noexcept {
  const auto before = load();
  if (meter.wanted && !meter.wanted->load()) meter.wanted->store(true);
  return load() == before && before > 0;
}

void slot::enter(slot_state next, time_point now) noexcept {
  state = next;
  changed = now;
}

slot& slot_table::add(slot s) {
  const auto id = s.id;
  slot& added = slots_.emplace(id, std::move(s)).first->second;
  order_.push_back(&added);
  return added;
}

void slot_table::erase(connection_id id) {
  const auto found = slots_.find(id);
  if (found == slots_.end()) return;
  order_.erase(std::find(order_.begin(), order_.end(), &found->second));
  slots_.erase(found);
}

slot* slot_table::find(connection_id id) noexcept {
  const auto found = slots_.find(id);
  return found == slots_.end() ? nullptr : &found->second;
}

const slot* slot_table::find(connection_id id) const noexcept {
  const auto found = slots_.find(id);
  return found == slots_.end() ? nullptr : &found->second;
}

slot_counts slot_table::count(time_point now) const noexcept {
  slot_counts c;
  for (const slot* s : order_) {
    ++c.sockets;
    if (s->state != slot_state::leased) c.in_flight += s->load();
    if (s->state == slot_state::draining || s->state == slot_state::closing) ++c.leaving;
    if (s->kind == connection_kind::bind)
      count_bind(c, *s, now);
    else
      count_pooled(c, *s, now);
  }
  return c;
}

slot* slot_table::least_loaded(connection_kind kind, std::uint32_t room) noexcept {
  slot* best = nullptr;
  std::uint32_t best_load = room;
  std::size_t compared = 0;
  for (slot* s : order_) {
    if (s->kind != kind || !s->takes_new()) continue;
    const auto load = s->load();
    if (load < best_load || (best && load == best_load && s->last_turn > best->last_turn)) {
      best = s;
      best_load = load;
    }
    if (++compared >= compared_at_most && best) break;
  }
  return best;
}

slot* slot_table::least_recently_used(connection_kind kind, bool idle_only) noexcept {
  slot* found = nullptr;
  for (auto& [id, s] : slots_) {
    if (s.kind != kind || s.state != slot_state::ready || (idle_only && s.load() > 0)) continue;
    if (found == nullptr || s.last_turn < found->last_turn) found = &s;
  }
  return found;
}

slot* slot_table::first_expired(connection_kind kind, time_point now) noexcept {
  slot* oldest = nullptr;
  for (auto& [id, s] : slots_)
    if (s.kind == kind && s.state == slot_state::ready && s.expires <= now &&
        (oldest == nullptr || s.expires < oldest->expires))
      oldest = &s;
  return oldest;
}

slot* slot_table::witness() noexcept {
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

bool slot_table::none_ready(connection_kind kind) const noexcept {
  return std::none_of(slots_.begin(), slots_.end(), [kind](const auto& known) {
    const slot& s = known.second;
    const bool untried = kind == connection_kind::bind && s.load() > 0 && s.completed() == 0;
    return s.kind == kind && s.alive() && !s.silent() && !untried;
  });
}

bool slot_table::held_up(connection_kind kind) const noexcept {
  bool some = false;
  for (const auto& [id, s] : slots_) {
    if (s.kind != kind || s.state != slot_state::connecting) continue;
    if (!s.held_up()) return false;
    some = true;
  }
  return some;
}

time_point slot_table::owed_since() const noexcept {
  auto since = time_point::max();
  for (const auto& [id, s] : slots_)
    if (s.state == slot_state::connecting) since = std::min(since, s.awaited_since());
  return since;
}

bool slot_table::ask_for_load(connection_kind kind) const noexcept {
  bool changed = false;
  for (const auto& [id, s] : slots_)
    if (s.kind == kind && s.state == slot_state::ready && !s.ask_for_load()) changed = true;
  return changed;
}

}  // namespace understudy::internal
