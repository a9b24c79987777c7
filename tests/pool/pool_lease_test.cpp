// Leases: granting, claiming, returning, leaking, breaking.
#include "pool/pool_harness.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using phase = pool_harness::phase;
using outcome = waiter_outcome::kind;

namespace {

struct two_connections : pool_harness {
  two_connections() : pool_harness(small_policy(2, 2)) { ready_all(); }
  explicit two_connections(pool_policy p) : pool_harness(std::move(p)) { ready_all(); }
  void exact() const {
    const auto s = pool.snapshot(now);
    BOOST_TEST(s.acquired == s.released + s.leased);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(an_idle_connection_is_leased_at_once, two_connections) {
  const auto l = lease();
  pool.claim(l);
  BOOST_TEST(pool.snapshot(now).leased == 1U);
  BOOST_TEST(release(l));
  BOOST_TEST(in(phase::resetting).size() == 1U);
  reset_done();
  BOOST_TEST(pool.counts(now).idle == 2U);
  exact();
}

BOOST_FIXTURE_TEST_CASE(the_least_loaded_is_reserved_and_granted_when_it_runs_empty, two_connections) {
  for (int i = 0; i < 5; ++i) share();
  const auto t = ask(acquire_kind::lease);
  BOOST_TEST(waiting(t));
  connection_id light = 0, heavy = 0;
  for (const auto& [id, s] : sockets) (s.open() == 2 ? light : heavy) = id;
  share();
  BOOST_TEST(sockets.at(light).open() == 2U, "it takes nothing new");
  BOOST_TEST(sockets.at(heavy).open() == 4U);
  complete(light);
  BOOST_TEST(waiting(t));
  complete(light);
  BOOST_TEST(granted(t));
  BOOST_TEST(outcome(t).connection == light);
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_is_idle_sooner_is_taken_in_place_of_the_reserved_one, two_connections) {
  for (int i = 0; i < 3; ++i) share();
  const auto t = ask(acquire_kind::lease);
  connection_id light = 0, heavy = 0;
  for (const auto& [id, s] : sockets) (s.open() == 1 ? light : heavy) = id;
  complete(heavy, 2);
  pool.on_load(now);
  take();
  BOOST_TEST(outcome(t).connection == heavy);
  share();
  BOOST_TEST(sockets.at(light).open() == 2U, "the reserved one serves again");
}

BOOST_FIXTURE_TEST_CASE(of_two_leases_the_earlier_gets_what_runs_empty_first, two_connections) {
  for (int i = 0; i < 3; ++i) share();
  const auto earlier = ask(acquire_kind::lease), later = ask(acquire_kind::lease);
  connection_id light = 0, heavy = 0;
  for (const auto& [id, s] : sockets) (s.open() == 1 ? light : heavy) = id;
  // The light one is kept for the earlier, the heavy one for the later; the heavy one runs empty first.
  complete(heavy, 2);
  BOOST_TEST(granted(earlier));
  BOOST_TEST(outcome(earlier).connection == heavy);
  BOOST_TEST(waiting(later));
  complete(light);
  BOOST_TEST(granted(later));
  BOOST_TEST(outcome(later).connection == light);
  exact();
}

BOOST_FIXTURE_TEST_CASE(shared_operations_pass_a_lease_that_has_its_reservation, two_connections) {
  for (int i = 0; i < 4; ++i) share();
  const auto l = ask(acquire_kind::lease), s = share();
  BOOST_TEST(waiting(l));
  BOOST_TEST((what(s) == outcome::dispatched));
}

BOOST_AUTO_TEST_CASE(the_last_shared_connection_is_not_reserved_while_another_can_be_opened) {
  pool_harness h{small_policy(1, 5)};
  h.ready_all();
  h.share();
  const auto l = h.ask(acquire_kind::lease);
  const auto s = h.share();
  BOOST_TEST((h.what(s) == outcome::dispatched));
  BOOST_TEST(h.connecting() == 1U);
  h.ready_all();
  BOOST_TEST(h.granted(l));
}

BOOST_AUTO_TEST_CASE(when_no_other_opens_the_last_shared_connection_is_reserved_after_all) {
  pool_harness h{small_policy(1, 5)};
  h.ready_all();
  const auto only = h.in(phase::ready).front();
  h.share();
  const auto l = h.ask(acquire_kind::lease);
  h.fail_all();
  h.complete(only);
  BOOST_TEST(h.granted(l));
}

BOOST_FIXTURE_TEST_CASE(who_does_not_wait_hears_that_the_pool_is_exhausted, two_connections) {
  lease();
  lease();
  const auto t = ask(acquire_kind::lease, seconds{30}, nullptr, false);
  BOOST_TEST((what(t) == outcome::refused));
  BOOST_TEST(code(t) == errc::pool_exhausted);
  BOOST_TEST(this->outcome(t).why->pool->in_use == 2U);
}

BOOST_AUTO_TEST_CASE(who_does_not_wait_still_gets_a_connection_that_may_be_opened) {
  pool_harness h{small_policy(1, 2)};
  h.ready_all();
  h.lease();
  const auto t = h.ask(acquire_kind::lease, seconds{30}, nullptr, false);
  BOOST_TEST(h.waiting(t));
  BOOST_TEST(h.code(h.ask(acquire_kind::lease, seconds{30}, nullptr, false)) == errc::pool_exhausted);
  h.ready_all();
  BOOST_TEST(h.granted(t));
}

BOOST_FIXTURE_TEST_CASE(a_grant_not_claimed_within_a_second_is_taken_back, two_connections) {
  const auto l = lease();
  pass(milliseconds{999});
  BOOST_TEST(pool.snapshot(now).leased == 1U);
  pass(milliseconds{1});
  BOOST_TEST(pool.snapshot(now).leased == 0U);
  BOOST_TEST(in(phase::resetting).size() == 1U);
  BOOST_TEST((pool.release(l, now).unknown != nullptr));
  exact();
}

BOOST_FIXTURE_TEST_CASE(a_claimed_lease_stays, two_connections) {
  pool.claim(lease());
  pass(seconds{20});
  BOOST_TEST(pool.snapshot(now).leased == 1U);
}

BOOST_FIXTURE_TEST_CASE(foreign_and_doubly_returned_leases_are_clear_errors, two_connections) {
  const auto l = lease();
  BOOST_TEST(release(l));
  const auto twice = pool.release(l, now), foreign = pool.release(4711, now);
  BOOST_TEST_REQUIRE((twice.unknown && foreign.unknown));
  BOOST_TEST(twice.unknown->code == errc::invalid_lease);
  BOOST_TEST(foreign.unknown->code == errc::invalid_lease);
  exact();
}

BOOST_FIXTURE_TEST_CASE(a_lease_ends_with_its_connection_and_is_returned_in_vain, two_connections) {
  const auto t = ask(acquire_kind::lease);
  const auto l = outcome(t).lease;
  die(outcome(t).connection);
  BOOST_TEST(pool.snapshot(now).leased == 0U);
  BOOST_TEST((unwatched == std::vector<lease_id>{l}));
  exact();
  const auto first = pool.release(l, now), second = pool.release(l, now);
  BOOST_TEST(!first.returned);
  BOOST_TEST((first.unknown == nullptr));
  BOOST_TEST((second.unknown != nullptr));
  pass(milliseconds{200});
  ready_all();
  BOOST_TEST(pool.counts(now).idle == 2U);
}

BOOST_FIXTURE_TEST_CASE(the_lease_of_a_dead_holder_returns, two_connections) {
  pool.take_back(lease(), "its holder ended", now);
  take();
  reset_done();
  BOOST_TEST(pool.counts(now).idle == 2U);
  exact();
}

BOOST_AUTO_TEST_CASE(a_lease_held_too_long_is_reported_once_and_its_return_too) {
  auto p = small_policy(1, 1);
  p.leak_threshold = seconds{10};
  pool_harness h{p};
  h.ready_all();
  const auto l = h.lease();
  h.pool.claim(l);
  h.pass(seconds{9});
  BOOST_TEST(h.notes.empty());
  h.pass(seconds{60});
  BOOST_TEST_REQUIRE(h.notes.size() == 1U);
  BOOST_TEST(h.notes[0].find("tester") != std::string::npos);
  BOOST_TEST(h.pool.snapshot(h.now).leaks == 1U);
  h.release(l);
  BOOST_TEST_REQUIRE(h.notes.size() == 2U);
  BOOST_TEST(h.notes[1].find("returned") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(waiting_for_the_reservation_can_time_out_and_frees_the_connection, two_connections) {
  for (int i = 0; i < 4; ++i) share();
  const auto t = ask(acquire_kind::lease, seconds{2});
  pass(seconds{2});
  BOOST_TEST(code(t) == errc::pool_timeout);
  for (int i = 0; i < 4; ++i) share();
  for (const auto& [id, s] : sockets) BOOST_TEST(s.open() == 4U);
}

BOOST_FIXTURE_TEST_CASE(a_reserved_connection_that_dies_leaves_the_lease_its_place, two_connections) {
  for (int i = 0; i < 5; ++i) share();
  const auto t = ask(acquire_kind::lease);
  connection_id light = 0;
  for (const auto& [id, s] : sockets)
    if (s.open() == 2) light = id;
  die(light);
  BOOST_TEST(waiting(t));
  pass(milliseconds{200});
  ready_all();
  BOOST_TEST(granted(t));
}

BOOST_FIXTURE_TEST_CASE(operations_of_a_holder_do_not_confuse_the_load, two_connections) {
  const auto t = ask(acquire_kind::lease);
  const auto id = outcome(t).connection;
  sockets.at(id).completed->fetch_add(7);  // the holder's own operations
  sockets.at(id).carried += 7;
  release(outcome(t).lease);
  reset_done();
  BOOST_TEST(pool.counts(now).in_flight == 0U);
  for (int i = 0; i < 4; ++i) share();
  BOOST_TEST(pool.counts(now).in_flight == 4U);
  BOOST_TEST(sockets.at(id).open() == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_leased_connection_that_drains_is_closed_on_return, two_connections) {
  const auto t = ask(acquire_kind::lease);
  pool.on_draining(outcome(t).connection, nullptr, now);
  take();
  BOOST_TEST(pool.snapshot(now).leased == 1U);
  release(outcome(t).lease);
  BOOST_TEST(in(phase::closing).size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_silent_lease_ends_when_its_server_is_given_up_and_one_that_answers_does_not,
                        two_connections) {
  const auto silent = outcome(ask(acquire_kind::lease)).connection;
  const auto lively = outcome(ask(acquire_kind::lease)).connection;
  sockets.at(silent).silent->store(true);
  pool.on_breaker(breaker_state::open, now);
  take();
  BOOST_TEST((sockets.at(silent).at == phase::closing));
  BOOST_TEST((sockets.at(lively).at == phase::leased));
  BOOST_TEST(pool.snapshot(now).leased == 1U);
  exact();
}

BOOST_AUTO_TEST_CASE(a_silent_connection_that_a_probe_waits_for_stays_until_that_gives_up) {
  pool_harness h{small_policy(1, 3)};
  h.ready_all();
  const auto only = h.in(pool_harness::phase::ready).front();
  h.pool.on_breaker(breaker_state::open, h.now);
  h.pool.ask_all(h.now + seconds{4});
  h.sockets.at(only).silent->store(true);
  h.pool.on_breaker(breaker_state::half_open, h.now);
  h.take();
  BOOST_TEST((h.sockets.at(only).at == pool_harness::phase::ready));
  h.pool.checked(only, true, h.now);
  h.pool.on_breaker(breaker_state::half_open, h.now);
  h.take();
  BOOST_TEST((h.sockets.at(only).at == pool_harness::phase::closing), "nobody waits any more");
}

BOOST_AUTO_TEST_CASE(leases_lost_one_after_the_other_are_one_warning_a_minute) {
  pool_harness h(small_policy(1, 2));
  h.ready_all();
  const auto lose = [&] {
    h.pass(seconds{1});  // its place is taken by another one
    h.ready_all();
    h.share();
    h.complete(h.in(pool_harness::phase::ready).front());  // so it was of use
    const auto waiter = h.ask(acquire_kind::lease);
    BOOST_TEST_REQUIRE(h.granted(waiter));
    h.die(h.outcome(waiter).connection);
  };
  for (int i = 0; i < 5; ++i) lose();
  BOOST_TEST(h.warnings.size() == 1U);
  BOOST_TEST(h.notes.size() == 5U, "the others are for those who debug");
  h.pass(seconds{60});
  lose();
  BOOST_TEST_REQUIRE(h.warnings.size() == 2U);
  BOOST_TEST(h.warnings[1].find("4 more") != std::string::npos, h.warnings[1]);
}
