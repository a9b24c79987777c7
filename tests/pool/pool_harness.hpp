// A pool's state machine with a world made by hand: connections that are numbers, outcomes that are remembered.
#pragma once
#include "support/print.hpp"
#include "understudy/actors/pool/pool_state.hpp"

#include <boost/test/unit_test.hpp>
#include <map>
#include <set>
#include <stdexcept>

namespace understudy::test {

using namespace internal;

inline failure_ptr connect_failure(errc code = errc::connection_failed, stage where = stage::connect,
                                   int ldap_code = 0) {
  failure f;
  f.code = code;
  f.where = where;
  f.ldap_code = ldap_code;
  f.message = "refused by the test";
  return std::make_shared<const failure>(std::move(f));
}

/// Of a server beside which there is another one; the rest is as a configuration without any options has it.
inline pool_policy small_policy(std::uint32_t min, std::uint32_t max) {
  settings all;
  all.servers.resize(2);
  auto p = policy_of(all, all.servers.front(), 0, "ldap1:389");
  p.min = min;
  p.max = p.max_pooled = max;
  p.validate_interval = duration::zero();
  // Requests that a test makes one after the other come in one moment of its clock.
  p.most_together = 1;
  return p;
}

/// What became of a waiter.
struct waiter_outcome {
  enum class kind { waiting, dispatched, granted, refused, redispatch };
  acquire_request who;
  time_point leave_at{};  ///< nobody waits beyond
  kind what = kind::waiting;
  int times = 0;  ///< outcomes told; more than one is a defect
  connection_id connection = 0;
  lease_id lease = 0;
  failure_ptr why;
  bool counted = false;
};

class pool_harness {
 public:
  using kind = waiter_outcome::kind;
  struct socket {
    connection_kind kind = connection_kind::pooled;
    std::shared_ptr<std::atomic<std::uint64_t>> completed = std::make_shared<std::atomic<std::uint64_t>>(0);
    std::shared_ptr<std::atomic<bool>> wanted = std::make_shared<std::atomic<bool>>(false);
    std::shared_ptr<std::atomic<bool>> silent = std::make_shared<std::atomic<bool>>(false);
    std::shared_ptr<std::atomic<bool>> held_up = std::make_shared<std::atomic<bool>>(false);
    std::shared_ptr<std::atomic<time_point>> awaited_since = std::make_shared<std::atomic<time_point>>();
    std::shared_ptr<std::atomic<bool>> reader_behind = std::make_shared<std::atomic<bool>>(false);
    std::uint64_t carried = 0;  ///< operations handed over
    socket_permit permit = nullptr;
    std::uint64_t open() const { return carried - completed->load(); }
    enum class phase { connecting, ready, leased, resetting, draining, closing } at = phase::connecting;
  };
  using phase = socket::phase;

  explicit pool_harness(pool_policy policy, std::uint64_t seed = 1, std::shared_ptr<socket_permits> of_server = nullptr)
      : permits(std::move(of_server)), random(make_random(seed)), pool(make_pool(std::move(policy))) {
    pool.start(now);
    take();
  }
  pool_harness(const pool_harness&) = delete;
  pool_harness& operator=(const pool_harness&) = delete;

  time_point now = time_point{} + std::chrono::hours{1};
  std::uint64_t numbers = 0;
  duration usual_patience{};  ///< for a small answer, from what is usual
  bool in_turn = false;       ///< the server answers the requests of a connection one after the other
  const std::shared_ptr<socket_permits> permits;
  random_source random;
  pool_state pool;
  std::map<connection_id, socket> sockets;
  std::map<waiter_id, waiter_outcome> waiters;
  std::vector<lease_id> unwatched;
  std::vector<connection_id> checks;  ///< not answered yet
  std::set<connection_id> set_aside;  ///< of these, those that take nothing new meanwhile
  std::vector<failure_class> reports;
  std::vector<time_point> losses;  ///< of requests, that are no part of an earlier one
  int slot_asked = 0;              ///< how often a probe's socket was asked for
  int first_answers = 0;           ///< that one is ready, which nobody had been told none was
  std::vector<bool> readiness;     ///< told to the breaker: false, nothing is ready; true, something is
  std::vector<std::string> notes;
  std::vector<std::string> warnings;  ///< of these
  std::vector<bool> drained;
  std::vector<waiter_id> served;  ///< in the order in which they got a connection

  // Between the pool and its world, for properties: what is asked and decided may be looked at or tampered with.
  std::function<void(acquire_request&)> before_admission;
  std::function<void(std::vector<pool_action::any>&)> before_actions;
  std::function<void(const pool_action::any&)> before_action;
  std::function<void(waiter_id)> on_outcome;  ///< a waiter was told

  // Requests.
  waiter_id ask(acquire_kind wanted, duration patience = seconds{30}, cancel_token_ptr token = nullptr,
                bool may_wait = true, std::uint16_t attempts = 0) {
    acquire_request who;
    who.what = wanted;
    who.deadline = now + patience;
    who.token = std::move(token);
    who.may_wait = may_wait;
    who.attempts = attempts;
    who.holder = "tester";
    const auto waiter = enqueue(who);
    auto& o = waiters.emplace(waiter, waiter_outcome{}).first->second;
    o.who = std::move(who);
    o.leave_at = last_moment(o.who);
    take();
    return waiter;
  }
  /// As the actor does: the quick way first.
  waiter_id share(duration patience = seconds{30}) {
    if (const auto id = pool.try_dispatch(now)) {
      ++sockets.at(id).carried;
      take();
      quick.push_back(id);
      return 0;
    }
    return ask(acquire_kind::shared, patience);
  }
  std::vector<connection_id> quick;
  /// A defect: the pool is made anew from what is left of it, as its actor does. Waiters keep their ids here.
  void restart() {
    std::vector<connection_id> known;
    for (const auto& [id, s] : sockets) known.push_back(id);
    const pool_state old = std::move(pool);
    pool = make_pool(old.policy());
    pool.adopt(old, known, now);
    renamed.clear();
    for (auto& [waiter, o] : waiters)
      if (o.what == kind::waiting) {
        renamed[enqueue(o.who)] = waiter;
        o.leave_at = last_moment(o.who);
      }
    pool.start(now);
    take();
  }
  const waiter_outcome& outcome(waiter_id t) const { return waiters.at(t); }
  kind what(waiter_id t) const { return waiters.at(t).what; }
  lease_id lease() {
    const auto t = ask(acquire_kind::lease);
    BOOST_TEST_REQUIRE(granted(t));
    return outcome(t).lease;
  }
  bool granted(waiter_id t) const { return what(t) == kind::granted; }
  bool waiting(waiter_id t) const { return what(t) == kind::waiting; }
  errc code(waiter_id t) const { return outcome(t).why ? outcome(t).why->code : errc::none; }
  bool release(lease_id id) {
    const auto out = pool.release(id, now);
    take();
    return out.returned;
  }

  // Connections.
  std::vector<connection_id> in(phase p, connection_kind k = connection_kind::pooled) const {
    std::vector<connection_id> ids;
    for (const auto& [id, s] : sockets)
      if (s.at == p && s.kind == k) ids.push_back(id);
    return ids;
  }
  std::size_t connecting() const {
    return in(phase::connecting).size() + in(phase::connecting, connection_kind::bind).size();
  }
  void ready(connection_id id) {
    sockets.at(id).at = phase::ready;
    pool.on_ready(id, now);
    take();
  }
  /// Everything that connects becomes ready, until nothing connects any more.
  void ready_all() {
    do {
      for (auto k : {connection_kind::pooled, connection_kind::bind})
        for (auto id : in(phase::connecting, k)) ready(id);
      pass(milliseconds{100});
    } while (connecting() > 0);
  }
  void fail(connection_id id, failure_ptr cause = connect_failure()) {
    sockets.at(id).permit = nullptr;
    pool.on_failed(id, std::move(cause), now);
    take();
  }
  void fail_all(failure_ptr cause = connect_failure()) {
    for (auto k : {connection_kind::pooled, connection_kind::bind})
      for (auto id : in(phase::connecting, k))
        if (sockets.count(id)) fail(id, cause);
  }
  void die(connection_id id, failure_ptr cause = connect_failure(), bool broke_protocol = false) {
    if (const auto s = sockets.find(id); s != sockets.end()) s->second.permit = nullptr;
    pool.on_closed(id, std::move(cause), now, broke_protocol);
    take();
  }
  /// The checks that are out come back.
  void answer_checks(bool works) {
    for (const auto id : std::exchange(checks, {})) {
      set_aside.erase(id);
      pool.checked(id, works, now);
      take();
    }
  }
  /// Connections that were told to close do so.
  void close_told() {
    for (auto p : {phase::closing, phase::draining})
      for (auto k : {connection_kind::pooled, connection_kind::bind})
        for (auto id : in(p, k))
          if (p == phase::closing || sockets.at(id).open() == 0) die(id, nullptr);
  }
  void complete(connection_id id, std::uint64_t count = 1) {
    auto& s = sockets.at(id);
    s.completed->fetch_add(count);
    if (s.wanted->exchange(false)) pool.on_load(now);
    take();
  }
  void reset_done() {
    for (auto id : in(phase::resetting)) ready(id);
  }

  // Time: as the actor's timer does it.
  void pass(duration span) {
    const auto end = now + span;
    for (int steps = 0; pool.next_event() <= end; ++steps) {
      if (steps >= 100000) throw std::runtime_error("the pool asks for ticks without end");
      now = std::max(now, pool.next_event());
      pool.tick(now);
      take();
    }
    now = end;
  }

  std::uint64_t open_operations() const {
    std::uint64_t sum = 0;
    for (const auto& [id, s] : sockets)
      if (s.at != phase::leased) sum += s.open();
    return sum;
  }

  void take() {
    while (pool.has_actions()) {
      auto actions = pool.take_actions();
      if (before_actions) before_actions(actions);
      for (const auto& a : actions) {
        if (before_action) before_action(a);
        std::visit([this](const auto& action) { on(action); }, a);
      }
    }
  }

 private:
  std::map<waiter_id, waiter_id> renamed;  ///< since the last restart: the pool's number, and ours

  pool_state make_pool(pool_policy policy) {
    return {std::move(policy),
            pool_dependencies{random, [this] { return ++numbers; }, [] { return wall_time{}; },
                              [this] { return usual_patience; }, permits, [this](time_point) { return in_turn; }},
            now};
  }
  waiter_id enqueue(acquire_request request) {
    if (before_admission) before_admission(request);
    return pool.enqueue(std::move(request), now);
  }
  time_point last_moment(const acquire_request& request) const {
    const auto& p = pool.policy();
    const auto last = std::min(request.deadline, now + p.wait_timeout);
    return p.failover_timeout > duration::zero() ? std::min(last, now + p.failover_timeout) : last;
  }
  void must_take(connection_id id, phase p, const char* message) const {
    const auto s = sockets.find(id);
    if (s == sockets.end() || s->second.at != p) throw std::logic_error(message);
  }
  void tell(waiter_id number, kind outcome, connection_id c = 0, lease_id l = 0, failure_ptr why = nullptr,
            bool counted = false) {
    const auto known = renamed.find(number);
    const auto t = known == renamed.end() ? number : known->second;
    auto& o = waiters[t];
    o.what = outcome;
    ++o.times;
    o.connection = c;
    o.lease = l;
    o.why = std::move(why);
    o.counted = counted;
    if (c != 0) served.push_back(t);
    if (on_outcome) on_outcome(t);
  }
  void on(const pool_action::open& a) {
    socket s;
    s.kind = a.kind;
    s.permit = a.permit;
    s.awaited_since->store(now);
    pool.attach(a.id, load_reading{s.completed, s.wanted, s.silent, s.held_up, s.awaited_since, s.reader_behind});
    sockets.emplace(a.id, std::move(s));
  }
  void on(const pool_action::dispatch& a) {
    must_take(a.to, phase::ready, "an operation is sent to a connection that takes none");
    ++sockets.at(a.to).carried;
    tell(a.waiter, kind::dispatched, a.to);
  }
  void on(const pool_action::grant& a) {
    must_take(a.connection, phase::ready, "a connection that is not free is leased");
    if (sockets.at(a.connection).open() != 0) throw std::logic_error("a connection with open operations is leased");
    sockets.at(a.connection).at = phase::leased;
    tell(a.waiter, kind::granted, a.connection, a.lease);
  }
  void on(const pool_action::refuse& a) { tell(a.waiter, kind::refused, 0, 0, a.why); }
  void on(const pool_action::redispatch& a) { tell(a.waiter, kind::redispatch, 0, 0, a.cause, a.counted); }
  void on(const pool_action::reset& a) { sockets.at(a.id).at = phase::resetting; }
  void on(const pool_action::drain& a) { sockets.at(a.id).at = phase::draining; }
  void on(const pool_action::close& a) { sockets.at(a.id).at = phase::closing; }
  void on(const pool_action::forget& a) { sockets.erase(a.id); }
  void on(const pool_action::check& a) {
    checks.push_back(a.id);
    if (a.aside) set_aside.insert(a.id);
  }
  void on(const pool_action::unwatch& a) { unwatched.push_back(a.lease); }
  void on(const pool_action::readiness& a) {
    if (a.told)
      readiness.push_back(a.ready);
    else
      ++first_answers;
  }
  void on(const pool_action::ask_for_probe_slot&) { ++slot_asked; }
  void on(const pool_action::report& a) { reports.push_back(a.what); }
  void on(const pool_action::lost_requests& a) { losses.push_back(a.sent_at); }
  void on(const pool_action::note& a) {
    notes.push_back(a.text);
    if (a.level == log_level::warning) warnings.push_back(a.text);
  }
  void on(const pool_action::drained& a) { drained.push_back(a.clean); }
};

}  // namespace understudy::test
