// The end of a pool: refusing new, finishing, cutting off.
#include "pool/pool_harness.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using phase = pool_harness::phase;
using outcome = waiter_outcome::kind;

namespace {

struct draining_pool : pool_harness {
  draining_pool() : pool_harness(small_policy(2, 2)) { ready_all(); }
  void drain(duration patience = seconds{10}) {
    pool.drain(now + patience, now);
    take();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(an_idle_pool_drains_at_once, draining_pool) {
  drain();
  BOOST_TEST(in(phase::draining).size() == 2U);
  BOOST_TEST(drained.empty());
  close_told();
  BOOST_TEST((drained == std::vector<bool>{true}));
  BOOST_TEST(sockets.empty());
  pass(seconds{100});
  BOOST_TEST(sockets.empty());
}

BOOST_FIXTURE_TEST_CASE(what_runs_is_finished_and_who_waits_is_served, draining_pool) {
  std::vector<waiter_id> leases;
  share();
  const auto l1 = lease();
  pool.claim(l1);
  const auto l2 = ask(acquire_kind::lease);
  drain();
  const auto late = share();
  BOOST_TEST((what(late) == outcome::redispatch));
  BOOST_TEST(code(late) == errc::draining);
  const auto spent = ask(acquire_kind::shared, seconds{1}, nullptr, true, 3);
  BOOST_TEST((what(spent) == outcome::refused));
  BOOST_TEST(code(spent) == errc::draining);
  for (const auto& [id, s] : sockets)
    if (s.open() == 1) {
      complete(id);
      break;
    }
  BOOST_TEST(granted(l2));
  pool.claim(outcome(l2).lease);
  release(outcome(l2).lease);
  release(l1);
  reset_done();
  close_told();
  BOOST_TEST((drained == std::vector<bool>{true}));
}

BOOST_FIXTURE_TEST_CASE(at_the_deadline_everything_is_cut_off, draining_pool) {
  share();
  const auto l = lease();
  pool.claim(l);
  for (int i = 0; i < 40; ++i) share(seconds{100});
  drain(seconds{5});
  pass(seconds{5});
  BOOST_TEST(in(phase::closing).size() == 2U);
  close_told();
  BOOST_TEST((drained == std::vector<bool>{false}));
  for (const auto& [t, o] : waiters) BOOST_TEST(o.times == 1);
  const auto s = pool.snapshot(now);
  BOOST_TEST(s.acquired == s.released);
}

BOOST_FIXTURE_TEST_CASE(mute_connections_do_not_hold_up_the_end, draining_pool) {
  share();
  drain(seconds{5});
  pass(milliseconds{5200});
  BOOST_TEST((drained == std::vector<bool>{false}));
  BOOST_TEST(sockets.empty());
}

BOOST_FIXTURE_TEST_CASE(a_drain_asked_for_again_is_answered_again, draining_pool) {
  drain();
  close_told();
  drain();
  BOOST_TEST((drained == std::vector<bool>{true, true}));
}

BOOST_AUTO_TEST_CASE(draining_while_connecting_ends_too) {
  pool_harness h{small_policy(2, 2)};
  h.pool.drain(h.now + seconds{5}, h.now);
  h.take();
  BOOST_TEST(h.in(phase::closing).size() == 1U);
  h.fail(h.in(phase::closing).front(), nullptr);
  BOOST_TEST((h.drained == std::vector<bool>{true}));
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_dead_server_is_sent_away_while_draining) {
  pool_harness h{small_policy(1, 2)};
  const auto t = h.share();
  h.pool.drain(h.now + seconds{5}, h.now);
  h.take();
  h.fail_all();
  BOOST_TEST((h.what(t) == outcome::redispatch));
  BOOST_TEST((h.drained == std::vector<bool>{true}));
}
