// Thousands of random interleavings: whatever happens, the pool's promises hold.
#include "pool/pool_harness.hpp"

#include <cstdlib>
#include <random>

using namespace understudy;
using namespace understudy::test;
using phase = pool_harness::phase;
using outcome = ticket_outcome::kind;

namespace {

/// A pool on which everything may happen in any order.
class storm {
 public:
  explicit storm(std::uint64_t seed) : random_(seed), h_(policy(), seed) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      hold_invariants();
    }
    come_to_rest();
  }

 private:
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>{0, n - 1}(random_); }
  bool chance(std::size_t percent) { return below(100) < percent; }

  pool_policy policy() {
    auto p = small_policy(static_cast<std::uint32_t>(below(4)), static_cast<std::uint32_t>(1 + below(6)));
    p.min = std::min(p.min, p.max);
    p.max_in_flight = static_cast<std::uint32_t>(1 + below(4));
    p.max_waiters = static_cast<std::uint32_t>(below(30));
    p.max_bind = static_cast<std::uint32_t>(1 + below(2));
    p.preload = chance(30);
    p.standby = chance(30);
    p.max_lifetime = chance(50) ? seconds{20} : seconds{0};
    p.max_idle_time = seconds{5 + static_cast<int>(below(20))};
    p.validate_interval = chance(50) ? seconds{10} : seconds{0};
    p.failover_timeout = chance(50) ? seconds{2} : seconds{0};
    p.connect_timeout = seconds{3};
    return p;
  }

  std::optional<connection_id> any(phase p) {
    auto ids = h_.in(p);
    for (auto id : h_.in(p, connection_kind::bind)) ids.push_back(id);
    if (ids.empty()) return std::nullopt;
    return ids[below(ids.size())];
  }

  void ask() {
    const auto kind = below(10);
    const auto patience = milliseconds{1 + below(6000)};
    if (kind < 6) {
      h_.share(patience);
    } else if (kind < 8) {
      auto token = chance(40) ? std::make_shared<cancel_token>() : nullptr;
      if (token) tokens_.push_back(token);
      h_.ask(want::lease, patience, token, chance(80));
    } else {
      h_.ask(want::bind, patience);
    }
  }

  void end_a_lease() {
    std::vector<lease_id> held;
    for (const auto& [t, o] : h_.tickets)
      if (o.lease != 0 && !ended_.count(o.lease)) held.push_back(o.lease);
    if (held.empty()) return;
    const auto id = held[below(held.size())];
    if (chance(30)) return h_.pool.claim(id);
    ended_.insert(id);
    if (chance(20))
      h_.pool.take_back(id, "test", h_.now);
    else
      h_.pool.release(id, h_.now);
    h_.take();
  }

  void change_a_connection() {
    if (auto id = any(phase::connecting); id && chance(60)) {
      if (chance(70)) return h_.ready(*id);
      return h_.fail(*id,
                     chance(20) ? connect_failure(errc::authentication_failed, stage::bind, 49) : connect_failure());
    }
    if (auto id = any(phase::resetting); id && chance(70)) return chance(90) ? h_.ready(*id) : h_.die(*id);
    if (auto id = any(phase::closing); id && chance(70)) return h_.die(*id, nullptr);
    if (auto id = any(phase::draining); id && chance(70)) {
      if (h_.sockets.at(*id).open() == 0) return h_.die(*id, nullptr);
      return h_.complete(*id);
    }
    if (chance(8))
      if (auto id = any(chance(50) ? phase::ready : phase::leased)) h_.die(*id);
    if (chance(3))
      if (auto id = any(chance(50) ? phase::ready : phase::leased)) h_.pool.on_draining(*id, h_.now), drain_here(*id);
  }
  void drain_here(connection_id id) {
    h_.take();
    if (h_.sockets.count(id) && h_.sockets.at(id).at == phase::ready) h_.sockets.at(id).at = phase::draining;
  }

  void change_the_world() {
    switch (below(6)) {
      case 0:
        h_.pool.on_breaker(static_cast<breaker_state>(below(4)), h_.now);
        break;
      case 1:
        if (h_.pool.take_probe_slot()) ++probes_;
        break;
      case 2:
        if (probes_ > 0) h_.pool.give_probe_slot(h_.now), --probes_;
        break;
      case 3:
        h_.pool.cleanup(h_.now);
        break;
      case 4:
        if (!h_.checks.empty()) h_.pool.checked(h_.checks.back(), chance(70), h_.now), h_.checks.pop_back();
        break;
      default:
        if (!tokens_.empty()) {
          tokens_.back()->cancel();
          if (chance(70)) h_.pool.cancel(tokens_.back().get(), h_.now);
          tokens_.pop_back();
        }
    }
    h_.take();
  }

  void step() {
    const auto what = below(100);
    if (what < 35) return ask();
    if (what < 60) {
      std::vector<connection_id> busy;
      for (const auto& [id, s] : h_.sockets)
        if (s.open() > 0) busy.push_back(id);
      if (!busy.empty()) h_.complete(busy[below(busy.size())]);
      return;
    }
    if (what < 70) return end_a_lease();
    if (what < 90) return change_a_connection();
    if (what < 95) return change_the_world();
    h_.pass(milliseconds{below(2000)});
  }

  void hold_invariants() {
    const auto s = h_.pool.snapshot(h_.now);
    BOOST_TEST(s.acquired == s.released + s.leased);
    BOOST_TEST(s.leased <= s.max_connections);
    BOOST_TEST(h_.sockets.size() + probes_ <= s.max_connections);
    BOOST_TEST(s.now.size == h_.sockets.size() + probes_);
    BOOST_TEST(s.now.in_flight == h_.open_operations());
    BOOST_TEST(s.completed + s.now.in_flight == s.dispatched);
    BOOST_TEST(s.now.idle + s.now.in_use + s.now.connecting <= s.now.size);
    BOOST_TEST(h_.in(phase::leased).size() == s.leased);
    std::size_t waiting = 0;
    for (const auto& [t, o] : h_.tickets) {
      BOOST_TEST(o.times <= 1, "ticket " << t << " had two outcomes");
      if (o.what == outcome::waiting) ++waiting;
    }
    BOOST_TEST(s.now.waiters == waiting);
    for (const auto& [id, socket] : h_.sockets)
      BOOST_TEST(socket.open() <= (socket.kind == connection_kind::bind ? 1U : h_.pool.policy().max_in_flight));
    progress(s);
    forget_the_settled();
  }

  /// Whoever waits for a shared operation while there is room for it was overlooked.
  void progress(const pool_snapshot& s) {
    if (s.now.waiters == 0) return;
    for (const auto& [id, socket] : h_.sockets)
      BOOST_TEST(!(socket.kind == connection_kind::pooled && socket.at == phase::ready && socket.open() == 0 &&
                   pooled_waiting()),
                 "an idle connection while somebody waits");
  }
  bool pooled_waiting() const { return h_.pool.pooled_waiters() > 0; }

  void forget_the_settled() {
    for (auto it = h_.tickets.begin(); it != h_.tickets.end();)
      it = it->second.what != outcome::waiting && it->second.lease == 0 ? h_.tickets.erase(it) : std::next(it);
  }

  /// Faults end: everybody is served or has left, and the minimum is there again.
  void come_to_rest() {
    for (; probes_ > 0; --probes_) h_.pool.give_probe_slot(h_.now);
    h_.pool.on_breaker(breaker_state::closed, h_.now);
    h_.take();
    bool complete = false;
    const auto& p = h_.pool.policy();
    for (int i = 0; i < 200; ++i) {
      for (const auto& [t, o] : h_.tickets)
        if (o.lease != 0) h_.pool.release(o.lease, h_.now);
      h_.take();
      std::vector<connection_id> busy;
      for (const auto& [id, s] : h_.sockets)
        if (s.open() > 0) busy.push_back(id);
      for (const auto id : busy) h_.complete(id, h_.sockets.at(id).open());
      for (const auto id : std::exchange(h_.checks, {})) h_.pool.checked(id, true, h_.now);
      h_.take();
      h_.reset_done();
      h_.close_told();
      h_.ready_all();
      complete = h_.in(phase::ready).size() >= (p.standby ? std::min(p.min, 1U) : p.min);
      h_.pass(milliseconds{500});
    }
    for (const auto& [t, o] : h_.tickets) BOOST_TEST(o.times == 1, "ticket " << t << " was forgotten");
    const auto s = h_.pool.snapshot(h_.now);
    BOOST_TEST(complete, "the minimum is there again");
    BOOST_TEST(s.leased == 0U);
    BOOST_TEST(s.acquired == s.released);
    BOOST_TEST(s.now.waiters == 0U);
    BOOST_TEST(s.now.in_flight == 0U);
    BOOST_TEST(s.completed == s.dispatched);
  }

  std::mt19937_64 random_;
  pool_harness h_;
  std::vector<cancel_token_ptr> tokens_;
  std::set<lease_id> ended_;
  std::uint32_t probes_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(whatever_happens_in_whatever_order_the_pool_keeps_its_promises) {
  // UNDERSTUDY_TEST_SEED repeats one run; the seed of a failed one is in its output.
  const char* chosen = std::getenv("UNDERSTUDY_TEST_SEED");
  const std::uint64_t first = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : 1;
  const std::uint64_t runs = chosen != nullptr ? 1 : 300;
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) { storm{seed}.run(400); }
  }
}
