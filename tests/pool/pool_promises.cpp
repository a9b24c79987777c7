// What a pool promises, whatever happens to it.
#include "pool/pool_storm.hpp"

namespace understudy::test {
namespace {

using outcome = waiter_outcome::kind;

/// No counter moves further than this in one step, unless it went below zero.
constexpr std::uint64_t plausible = 1000;

bool is_pooled(const pool_harness::socket& s) { return s.kind == connection_kind::pooled; }

}  // namespace

void pool_storm::look_at(const pool_action::any& action) {
  if (const auto* ended = std::get_if<pool_action::unwatch>(&action)) held_.erase(ended->lease);
  if (const auto* going = std::get_if<pool_action::drain>(&action)) look_at_end_of(going->id);
}

void pool_storm::look_at_end_of(connection_id id) {
  if (restarting_ || draining_ || !is_pooled(h_.sockets.at(id))) return;
  std::size_t stay = 0;
  for (const auto other : all_in({phase::ready, phase::leased, phase::resetting}))
    if (other != id && is_pooled(h_.sockets.at(other))) ++stay;
  const auto floor = policy_.standby ? std::min(policy_.min, 1U) : policy_.min;
  const auto limit = h_.pool.snapshot(h_.now).growth_limit;
  const bool socket_is_free = h_.sockets.size() + probes_ < (limit == 0 ? policy_.max : std::min(policy_.max, limit));
  must(stay >= floor || !socket_is_free, "a connection goes only when another has taken its place", stay);
}

void pool_storm::look_at_outcome(waiter_id t) {
  const auto& o = h_.outcome(t);
  must(o.times == 1, "everybody is told exactly once", t);
  if (o.lease != 0) held_.emplace(o.lease, false);
  if (o.what != outcome::dispatched && o.what != outcome::granted) return;
  must(h_.now < o.leave_at, "nobody is served after the deadline", t);
  for (const auto& [earlier, other] : h_.waiters)
    must(earlier >= t || other.what != outcome::waiting || other.who.what != o.who.what,
         "nobody is served before those who came earlier", t);
}

void pool_storm::hold_promises() {
  const auto s = h_.pool.snapshot(h_.now);
  hold_counters(s);
  std::size_t waiting = 0;
  for (const auto& [t, o] : h_.waiters) {
    if (o.what != outcome::waiting) continue;
    ++waiting;
    must(h_.now < o.leave_at, "nobody waits beyond the deadline", t);
  }
  must(s.now.waiters == waiting, "everybody is told exactly once", s.now.waiters);
  for (const auto& [id, socket] : h_.sockets)
    must(socket.open() <= (is_pooled(socket) ? policy_.max_in_flight : 1U), "no connection carries more than it may",
         socket.open());
  hold_progress();
  before_ = s;
}

void pool_storm::hold_counters(const pool_snapshot& s) {
  must(s.acquired == s.released + s.leased, "acquired is released and leased");
  must(s.leased == held_.size(), "leased is what somebody holds", s.leased);
  must(s.leased <= policy_.max, "no more leases than connections", s.leased);
  must(h_.sockets.size() + probes_ <= policy_.max, "no more sockets than max_connections", h_.sockets.size() + probes_);
  must(h_.connecting() <= policy_.max_connecting, "no more connects at once than max_connecting", h_.connecting());
  must(s.now.size == h_.sockets.size() + probes_, "size is what is open", s.now.size);
  must(s.now.in_flight == h_.open_operations(), "in flight is what is open", s.now.in_flight);
  must(s.dispatched == s.completed + s.now.in_flight, "dispatched is completed and in flight");
  must(s.now.idle + s.now.in_use + s.now.connecting <= s.now.size, "the parts are no more than the whole");
  const auto grows = [](std::uint64_t was, std::uint64_t is) { return is >= was && is - was < plausible; };
  must(grows(before_.acquired, s.acquired) && grows(before_.released, s.released) &&
           grows(before_.dispatched, s.dispatched) && grows(before_.completed, s.completed) &&
           grows(before_.opened, s.opened) && grows(before_.closed, s.closed) &&
           grows(before_.connect_failures, s.connect_failures) && grows(before_.timeouts, s.timeouts) &&
           grows(before_.refused, s.refused) && grows(before_.leaks, s.leaks),
       "counters only grow");
  must(s.closed <= s.opened, "no more is closed than was opened");
}

/// Whoever waits while there is room was overlooked.
void pool_storm::hold_progress() {
  std::size_t shared = 0, leases = 0, binds = 0, room = 0, empty = 0, free_binds = 0;
  for (const auto& [t, o] : h_.waiters)
    if (o.what == outcome::waiting)
      ++(o.who.what == acquire_kind::shared ? shared : o.who.what == acquire_kind::lease ? leases : binds);
  for (const auto& [id, s] : h_.sockets) {
    if (s.at != phase::ready || h_.set_aside.count(id) != 0) continue;
    if (is_pooled(s) && s.open() < policy_.max_in_flight) ++room;
    if (is_pooled(s) && s.open() == 0) ++empty;
    if (!is_pooled(s) && s.open() == 0) ++free_binds;
  }
  const char* promise = "nobody waits while there is room";
  must(shared + leases == 0 || empty == 0, promise, "an empty connection");
  // Each lease that waits may keep one connection from the others until that runs empty.
  must(shared == 0 || room <= leases, promise, "room on a shared connection");
  must(binds == 0 || free_binds == 0, promise, "a free bind connection");
}

/// Nothing fails any more and everybody does what is asked.
void pool_storm::calm_down() {
  const auto held = held_;
  for (const auto& [id, claimed] : held) end_lease(id, false);
  for (const auto id : all_in({phase::ready, phase::draining}))
    if (h_.sockets.count(id)) complete(id, policy_.max_in_flight);
  h_.answer_checks(true);
  h_.reset_done();
  h_.close_told();
}

void pool_storm::come_to_rest() {
  for (; probes_ > 0; --probes_)
    if (!weak_.probes_unheard) h_.pool.give_probe_slot(h_.now);
  h_.pool.on_breaker(breaker_state::closed, h_.now);
  h_.take();
  const auto minimum = policy_.standby ? std::min(policy_.min, 1U) : policy_.min;
  int missed = 0;  // looks in a row at fewer: an old connection that has to go first is away for a moment
  // Longer than any pause between connects.
  for (int i = 0; i < 80; ++i) {
    calm_down();
    h_.ready_all();
    missed = h_.in(phase::ready).size() >= minimum ? 0 : missed + 1;
    h_.pass(milliseconds{500});
    hold_promises();
  }
  for (const auto& [t, o] : h_.waiters) must(o.times == 1, "everybody is told exactly once", t);
  must(missed < 4, "the minimum is there again", h_.in(phase::ready).size());
  serve_again();
  calm_down();
  const auto s = h_.pool.snapshot(h_.now);
  must(s.leased == 0 && s.acquired == s.released, "every lease ends", s.leased);
  must(s.now.waiters == 0 && s.now.in_flight == 0 && s.completed == s.dispatched, "everything ends");
}

void pool_storm::serve_again() {
  for (const auto what : {acquire_kind::shared, acquire_kind::lease, acquire_kind::bind}) {
    calm_down();
    h_.ready_all();
    const auto t = h_.ask(what, seconds{5});
    for (int i = 0; i < 20 && h_.waiting(t); ++i) {
      calm_down();
      h_.ready_all();
    }
    const auto told = h_.what(t);
    must(told == outcome::dispatched || told == outcome::granted, "after all faults everybody is served",
         static_cast<int>(what));
    hold_promises();
  }
}

void pool_storm::drain() {
  draining_ = true;
  h_.pool.drain(h_.now + seconds{3}, h_.now);
  h_.take();
  // Some connections do as they are told, some stay mute.
  for (int i = 0; i < 8; ++i) {
    if (shape_.seed % 3 != 0) calm_down();
    if (shape_.seed % 2 != 0)
      for (const auto id : all_in({phase::connecting})) h_.ready(id);
    h_.pass(milliseconds{500});
    const auto t = h_.ask(acquire_kind::shared, seconds{60});
    must(!h_.waiting(t), "a drained pool takes nothing new");
  }
  for (const auto& [t, o] : h_.waiters) must(o.times == 1, "everybody is told exactly once", t);
  must(h_.drained.size() == 1, "a drain ends once, at its deadline at the latest", h_.drained.size());
  must(h_.sockets.empty(), "nothing is left after a drain", h_.sockets.size());
}

}  // namespace understudy::test
