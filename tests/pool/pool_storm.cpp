// Random events of a pool: how they are made, and what each does.
#include "pool/pool_storm.hpp"

#include <array>

namespace understudy::test {
namespace {

using kind = pool_command::kind;
constexpr std::array names{"ask_shared", "ask_lease", "ask_bind",    "complete",    "connect", "refuse",
                           "reset",      "end",       "die",         "say_goodbye", "cross",   "fall_silent",
                           "claim",      "give_back", "holder_dies", "cancel",      "breaker", "take_probe",
                           "give_probe", "cleanup",   "checked",     "restart",     "pass"};

/// From nothing at all to longer than anything in the pool takes.
constexpr std::array patiences{milliseconds{0},    milliseconds{1},    milliseconds{300},  milliseconds{1000},
                               milliseconds{2500}, milliseconds{6000}, milliseconds{40000}};

failure_ptr connect_failure_number(int b) {
  if (b == 0) return connect_failure(errc::service_authentication_failed, stage::bind, 49);
  if (b == 1) return nullptr;  // it had been told to close
  return connect_failure();
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const pool_command& c) {
  return out << names.at(static_cast<std::size_t>(c.what)) << "(" << c.a << "," << c.b << ")";
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
  return list_of(rc::gen::build<pool_command>(rc::gen::set(&pool_command::what, what),
                                              rc::gen::set(&pool_command::a, rc::gen::inRange(0, 24)),
                                              rc::gen::set(&pool_command::b, rc::gen::inRange(0, 8))));
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
      h_.pool.checked(h_.checks.back(), c.b != 0, h_.now);
      h_.checks.pop_back();
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
      h_.pool.on_draining(*id, h_.now);
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

void pool_storm::ask(const pool_command& c, acquire_kind what) {
  const auto patience = patiences.at(static_cast<std::size_t>(c.a) % patiences.size());
  if (what == acquire_kind::shared && c.b < 6) {
    const bool somebody_waits = h_.pool.pooled_waiters() > 0;
    const bool at_once = h_.share(patience) == 0;
    return must(!(at_once && somebody_waits), "nobody is served before those who came earlier");
  }
  auto token = c.b % 2 == 1 ? std::make_shared<cancel_token>() : nullptr;
  if (token) tokens_.push_back(token);
  h_.ask(what, patience, std::move(token), c.b < 6, static_cast<std::uint16_t>(c.b));
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

}  // namespace understudy::test
