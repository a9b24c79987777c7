// Random events of a pool: how they are made, and what each does.
#include "pool/pool_storm.hpp"

namespace understudy::test {

using namespace internal;
namespace {

using kind = pool_command::kind;
/// From nothing at all to longer than anything in the pool takes.
constexpr std::array patiences{milliseconds{0},    milliseconds{1},    milliseconds{300},  milliseconds{1000},
                               milliseconds{2500}, milliseconds{6000}, milliseconds{40000}};

failure_ptr connect_failure_number(int b) {
  if (b == 0) return connect_failure(errc::service_authentication_failed, stage::bind, 49);
  if (b == 1) return nullptr;  // it had been told to close
  return connect_failure();
}

using outcome = waiter_outcome::kind;

/// No counter moves further than this in one step, unless it went below zero.
constexpr std::uint64_t plausible = 1000;

bool is_pooled(const pool_harness::socket& s) { return s.kind == connection_kind::pooled; }

}  // namespace

const std::array<const char*, 23>& names(pool_event) {
  static constexpr std::array<const char*, 23> all{
      "ask_shared", "ask_lease",   "ask_bind",   "complete",    "connect", "refuse",    "reset",       "end",
      "die",        "say_goodbye", "cross",      "fall_silent", "claim",   "give_back", "holder_dies", "cancel",
      "breaker",    "take_probe",  "give_probe", "cleanup",     "checked", "restart",   "pass"};
  return all;
}

std::ostream& operator<<(std::ostream& out, const pool_shape& s) {
  return out << "min " << s.min << " max " << s.max << " in_flight " << s.in_flight << " waiters " << s.waiters
             << " binds " << s.binds << " connecting " << s.connecting << (s.preload ? " preload" : "")
             << (s.standby ? " standby" : "") << (s.lifetime ? " lifetime" : "") << (s.validate ? " validate" : "")
             << (s.failover ? " failover" : "") << " idle_time " << s.idle_time << " seed " << s.seed
             << (s.drains ? " drains" : "");
}

pool_policy pool_shape::policy() const {
  auto p = small_policy(static_cast<std::uint32_t>(std::min(min, max)), static_cast<std::uint32_t>(max));
  p.max_in_flight = static_cast<std::uint32_t>(in_flight);
  p.max_waiters = static_cast<std::uint32_t>(waiters);
  p.max_bind = static_cast<std::uint32_t>(binds);
  p.max_connecting = static_cast<std::uint32_t>(connecting);
  p.preload = preload;
  p.standby = standby;
  p.max_lifetime = lifetime ? seconds{20} : seconds{0};
  p.max_idle_time = seconds{idle_time};
  p.validate_interval = validate ? seconds{10} : seconds{0};
  p.failover_timeout = failover ? seconds{2} : seconds{0};
  p.connect_timeout = seconds{3};
  return p;
}

rc::Gen<std::vector<pool_command>> pool_commands() {
  const auto what = rc::gen::weightedElement<kind>(
      {{16, kind::ask_shared}, {10, kind::ask_lease},  {6, kind::ask_bind},    {18, kind::complete},
       {14, kind::connect},    {4, kind::refuse},      {4, kind::reset},       {6, kind::end},
       {2, kind::die},         {1, kind::say_goodbye}, {1, kind::cross},       {1, kind::fall_silent},
       {3, kind::claim},       {5, kind::give_back},   {2, kind::holder_dies}, {2, kind::cancel},
       {2, kind::breaker},     {1, kind::take_probe},  {1, kind::give_probe},  {1, kind::cleanup},
       {2, kind::checked},     {1, kind::restart},     {8, kind::pass}});
  return commands_of(what, 24, 8);
}

rc::Gen<pool_shape> pool_shapes() {
  using rc::gen::inRange;
  using rc::gen::set;
  return rc::gen::build<pool_shape>(
      set(&pool_shape::min, inRange(0, 4)), set(&pool_shape::max, inRange(1, 7)),
      set(&pool_shape::in_flight, inRange(1, 5)), set(&pool_shape::waiters, inRange(0, 30)),
      set(&pool_shape::binds, inRange(1, 3)), set(&pool_shape::connecting, inRange(1, 4)), set(&pool_shape::preload),
      set(&pool_shape::standby), set(&pool_shape::lifetime), set(&pool_shape::validate), set(&pool_shape::failover),
      set(&pool_shape::idle_time, inRange(5, 25)), set(&pool_shape::seed, inRange(1, 1000)), set(&pool_shape::drains));
}

pool_storm::pool_storm(const pool_shape& shape, pool_weakness weakness)
    : shape_(shape),
      policy_(shape.policy()),
      weak_(std::move(weakness)),
      h_(
          [&] {
            auto p = policy_;
            if (weak_.policy) weak_.policy(p);
            return p;
          }(),
          static_cast<std::uint64_t>(shape.seed)) {
  h_.before_admission = weak_.admission;
  if (weak_.actions) h_.before_actions = [this](std::vector<pool_action::any>& actions) { weak_.actions(h_, actions); };
  h_.before_action = [this](const pool_action::any& action) { look_at(action); };
  h_.on_outcome = [this](waiter_id t) { look_at_outcome(t); };
}

void pool_storm::run(const std::vector<pool_command>& commands) {
  for (const auto& c : commands) {
    step(c);
    hold_promises();
  }
  shape_.drains ? drain() : come_to_rest();
}

std::vector<connection_id> pool_storm::all_in(std::initializer_list<phase> phases) const {
  std::vector<connection_id> ids;
  for (const auto& [id, s] : h_.sockets)
    if (std::find(phases.begin(), phases.end(), s.at) != phases.end()) ids.push_back(id);
  return ids;
}

std::optional<connection_id> pool_storm::pick(int a, std::initializer_list<phase> phases) const {
  const auto ids = all_in(phases);
  if (ids.empty()) return std::nullopt;
  return ids[static_cast<std::size_t>(a) % ids.size()];
}

void pool_storm::step(const pool_command& c) {
  if (step_of_connection(c) || step_of_lease(c)) return;
  switch (c.what) {
    case kind::cancel:
      return cancel(c);
    case kind::breaker:
      h_.pool.on_breaker(static_cast<breaker_state>(c.a % 4), h_.now);
      break;
    case kind::take_probe:
      if (weak_.probes_unheard)
        ++probes_;
      else if (h_.pool.take_probe_slot(h_.now))
        ++probes_;
      break;
    case kind::give_probe:
      if (probes_ == 0) break;
      --probes_;
      if (!weak_.probes_unheard) h_.pool.give_probe_slot(h_.now);
      break;
    case kind::cleanup:
      h_.pool.cleanup(h_.now);
      break;
    case kind::checked:
      if (h_.checks.empty()) break;
      h_.set_aside.erase(h_.checks.back());
      said_well_ = c.b != 0;
      h_.pool.checked(h_.checks.back(), c.b != 0 && !weak_.answers_unheard, h_.now);
      h_.checks.pop_back();
      h_.take();
      said_well_.reset();
      break;
    case kind::restart:
      restarting_ = true;
      h_.restart();
      restarting_ = false;
      break;
    default:
      h_.pass(milliseconds{c.a * c.a * 5});
  }
  h_.take();
}

bool pool_storm::step_of_connection(const pool_command& c) {
  std::optional<connection_id> id;
  switch (c.what) {
    case kind::complete:
      if ((id = pick(c.a, {phase::ready, phase::draining}))) complete(*id, static_cast<std::uint64_t>(c.b) + 1);
      break;
    case kind::connect:
      if ((id = pick(c.a, {phase::connecting}))) h_.ready(*id);
      break;
    case kind::refuse:
      if ((id = pick(c.a, {phase::connecting}))) h_.fail(*id, connect_failure_number(c.b));
      break;
    case kind::reset:
      if ((id = pick(c.a, {phase::resetting}))) h_.ready(*id);
      break;
    case kind::end:
      if (!(id = pick(c.a, {phase::closing, phase::draining}))) break;
      if (h_.sockets.at(*id).at == phase::draining && h_.sockets.at(*id).open() > 0)
        complete(*id, h_.sockets.at(*id).open());
      h_.die(*id, nullptr);
      break;
    case kind::die:
      if ((id = pick(c.a, {phase::ready, phase::leased, phase::resetting, phase::draining}))) h_.die(*id);
      break;
    case kind::say_goodbye:
      if (!(id = pick(c.a, {phase::ready, phase::leased}))) break;
      if (h_.sockets.at(*id).at == phase::ready) h_.sockets.at(*id).at = phase::draining;
      h_.pool.on_draining(*id, nullptr, h_.now);
      h_.take();
      break;
    case kind::cross:
      if ((id = pick(c.a, {phase::closing, phase::draining}))) h_.pool.on_ready(*id, h_.now), h_.take();
      break;
    case kind::fall_silent:
      if ((id = pick(c.a, {phase::ready, phase::draining}))) h_.sockets.at(*id).silent->store(true);
      break;
    default:
      return false;
  }
  return true;
}

bool pool_storm::step_of_lease(const pool_command& c) {
  const auto held = [&]() -> lease_id {
    if (held_.empty()) return 0;
    return std::next(held_.begin(), c.a % static_cast<int>(held_.size()))->first;
  };
  switch (c.what) {
    case kind::ask_shared:
      ask(c, acquire_kind::shared);
      break;
    case kind::ask_lease:
      ask(c, acquire_kind::lease);
      break;
    case kind::ask_bind:
      ask(c, acquire_kind::bind);
      break;
    case kind::claim:
      if (const auto id = held()) h_.pool.claim(id), held_.at(id) = true;
      break;
    case kind::give_back:
      if (const auto id = held()) end_lease(id, false);
      break;
    case kind::holder_dies:
      if (const auto id = held()) end_lease(id, true);
      break;
    default:
      return false;
  }
  return true;
}

void pool_storm::ask(const pool_command& c, acquire_kind wanted) {
  const auto patience = patiences.at(static_cast<std::size_t>(c.a) % patiences.size());
  if (wanted == acquire_kind::shared && c.b < 6) {
    const bool somebody_waits = std::any_of(h_.waiters.begin(), h_.waiters.end(), [](const auto& waiter) {
      const auto& o = waiter.second;
      return o.what == outcome::waiting && (o.who.what == acquire_kind::shared || o.who.what == acquire_kind::lease);
    });
    const bool at_once = h_.share(patience) == 0;
    return must(!(at_once && somebody_waits), "nobody is served before those who came earlier");
  }
  auto token = c.b % 2 == 1 ? std::make_shared<cancel_token>() : nullptr;
  if (token) tokens_.push_back(token);
  h_.ask(wanted, patience, std::move(token), c.b < 6, static_cast<std::uint16_t>(c.b));
}

void pool_storm::complete(connection_id id, std::uint64_t count) {
  auto& s = h_.sockets.at(id);
  if (weak_.completions_unheard) s.wanted->store(false);
  if (const auto open = s.open()) h_.complete(id, std::min(open, count));
}

void pool_storm::end_lease(lease_id id, bool holder_died) {
  held_.erase(id);
  if (!holder_died)
    h_.pool.release(id, h_.now);
  else if (!weak_.deaths_unheard)
    h_.pool.take_back(id, "its holder ended", h_.now);
  h_.take();
}

void pool_storm::cancel(const pool_command& c) {
  if (tokens_.empty()) return;
  const auto at = tokens_.begin() + c.a % static_cast<std::ptrdiff_t>(tokens_.size());
  (*at)->cancel();
  if (c.b != 0) h_.pool.cancel(at->get(), h_.now);
  tokens_.erase(at);
  h_.take();
}

// ---- what it promises ----

void pool_storm::look_at(const pool_action::any& action) {
  if (const auto* ended = std::get_if<pool_action::unwatch>(&action)) held_.erase(ended->lease);
  if (const auto* going = std::get_if<pool_action::drain>(&action)) look_at_end_of(going->id);
  if (const auto* told = std::get_if<pool_action::report>(&action)) look_at_report(*told);
}

/// Failed growth is no sign of a dead server: an open connection is asked first.
void pool_storm::look_at_report(const pool_action::report& told) {
  if (told.what == failure_class::credential) return;
  constexpr auto promise = "no connect failure is reported while an open connection answers";
  must(said_well_ != true, promise, "it has just answered");
  if (said_well_) return;  // asked, and it did not answer
  for (const auto id : all_in({phase::ready, phase::leased}))
    must(h_.sockets.at(id).silent->load(), promise, "it was not asked");
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
