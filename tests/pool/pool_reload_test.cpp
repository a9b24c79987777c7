// Other settings for a pool at work: kept connections, other sizes, replacement one by one, and leaving for good.
#include "pool/pool_harness.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using phase = pool_harness::phase;
using outcome = waiter_outcome::kind;

namespace {

struct reloading_pool : pool_harness {
  reloading_pool() : pool_harness(small_policy(3, 6)) { ready_all(); }

  void become(pool_policy policy, bool renew = false) {
    pool.reconfigure(std::move(policy), renew, now);
    take();
  }
  /// Lets time pass; what is told to close does, what connects becomes ready; the fewest ready ones seen on the way.
  std::size_t fewest_ready_while(duration span) {
    auto fewest = in(phase::ready).size();
    for (const auto end = now + span; now < end; pass(milliseconds{100})) {
      fewest = std::min(fewest, in(phase::ready).size());
      close_told();
      for (const auto id : in(phase::connecting)) ready(id);
    }
    return fewest;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_same_settings_touch_nothing, reloading_pool) {
  const auto before = in(phase::ready);
  become(small_policy(3, 6));
  pass(seconds{20});
  BOOST_TEST(in(phase::ready) == before, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_larger_minimum_is_reached_and_connections_are_kept, reloading_pool) {
  const auto before = in(phase::ready);
  become(small_policy(5, 6));
  ready_all();
  const auto after = in(phase::ready);
  BOOST_TEST(after.size() == 5U);
  BOOST_TEST(std::includes(after.begin(), after.end(), before.begin(), before.end()));
}

BOOST_FIXTURE_TEST_CASE(a_smaller_maximum_takes_idle_connections_first, reloading_pool) {
  share();
  const auto busy = quick.at(0);
  become(small_policy(1, 1));
  BOOST_TEST(in(phase::draining).size() == 2U);
  BOOST_TEST(in(phase::ready) == std::vector<connection_id>{busy}, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(what_is_in_use_goes_when_it_is_free, reloading_pool) {
  std::vector<lease_id> leases;
  for (int i = 0; i < 3; ++i) {
    leases.push_back(lease());
    pool.claim(leases.back());
  }
  become(small_policy(1, 1));
  BOOST_TEST(in(phase::leased).size() == 3U);
  for (const auto l : leases) BOOST_TEST(release(l));
  reset_done();
  fewest_ready_while(seconds{3});
  BOOST_TEST(sockets.size() == 1U);
  BOOST_TEST(pool.snapshot(now).leased == 0U);
}

BOOST_FIXTURE_TEST_CASE(connections_made_with_other_values_are_replaced_one_by_one, reloading_pool) {
  const auto before = in(phase::ready);
  become(small_policy(3, 6), true);
  BOOST_TEST(fewest_ready_while(seconds{10}) >= 3U);
  const auto after = in(phase::ready);
  BOOST_TEST(after.size() == 3U);
  for (const auto id : before) BOOST_TEST(sockets.count(id) == 0U);
}

BOOST_FIXTURE_TEST_CASE(old_connections_serve_on_when_none_can_be_opened_with_the_new_values, reloading_pool) {
  const auto before = in(phase::ready);
  become(small_policy(3, 6), true);
  for (int i = 0; i < 100; ++i) {
    pass(milliseconds{200});
    fail_all(connect_failure(errc::service_authentication_failed, stage::bind, 49));
  }
  BOOST_TEST(in(phase::ready) == before, boost::test_tools::per_element());
  BOOST_TEST(share() == 0U);
}

BOOST_FIXTURE_TEST_CASE(what_connects_with_old_values_is_begun_anew_at_once, reloading_pool) {
  for (const auto id : in(phase::ready)) die(id);
  pass(milliseconds{200});
  const auto old = in(phase::connecting);
  BOOST_REQUIRE(!old.empty());
  const auto waiting_one = ask(acquire_kind::shared);
  become(small_policy(3, 6), true);
  BOOST_TEST((sockets.at(old.front()).at == phase::closing));
  close_told();
  ready_all();
  BOOST_TEST((what(waiting_one) == outcome::dispatched));
  BOOST_TEST(outcome(waiting_one).connection > old.front());
}

BOOST_FIXTURE_TEST_CASE(a_leased_connection_is_replaced_after_its_return, reloading_pool) {
  const auto l = lease();
  pool.claim(l);
  const auto own = in(phase::leased).front();
  become(small_policy(3, 6), true);
  fewest_ready_while(seconds{10});
  BOOST_TEST((sockets.at(own).at == phase::leased));
  release(l);
  reset_done();
  fewest_ready_while(seconds{3});
  BOOST_TEST(sockets.count(own) == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_shorter_lifetime_counts_for_what_is_open, reloading_pool) {
  const auto before = in(phase::ready);
  auto policy = small_policy(3, 6);
  policy.max_lifetime = seconds{10};
  become(policy);
  BOOST_TEST(fewest_ready_while(seconds{13}) >= 3U);
  for (const auto id : before) BOOST_TEST(sockets.count(id) == 0U);
}

BOOST_FIXTURE_TEST_CASE(who_waits_when_the_server_leaves_is_sent_elsewhere_at_no_cost, reloading_pool) {
  for (const auto id : in(phase::ready)) die(id);
  const auto shared = ask(acquire_kind::shared);
  const auto leased = ask(acquire_kind::lease);
  const auto bind = ask(acquire_kind::bind);
  const auto spent = ask(acquire_kind::shared, seconds{30}, nullptr, true, 3);
  pool.leave(now + seconds{5}, now);
  take();
  const auto late = ask(acquire_kind::shared, seconds{30}, nullptr, true, 3);
  for (const auto t : {shared, leased, bind, spent, late}) {
    BOOST_TEST((what(t) == outcome::redispatch));
    BOOST_TEST(!outcome(t).counted);
    BOOST_TEST(outcome(t).times == 1);
  }
  close_told();
  BOOST_TEST((drained == std::vector<bool>{true}));
}

BOOST_FIXTURE_TEST_CASE(a_server_that_leaves_finishes_what_runs_and_waits_for_leases, reloading_pool) {
  const auto l = lease();
  pool.claim(l);
  share();
  pool.leave(now + seconds{5}, now);
  take();
  close_told();
  BOOST_TEST(drained.empty());
  complete(quick.at(0));
  close_told();
  BOOST_TEST(drained.empty());
  BOOST_TEST(release(l));
  reset_done();
  close_told();
  BOOST_TEST((drained == std::vector<bool>{true}));
  const auto seen = pool.snapshot(now);
  BOOST_TEST(seen.acquired == seen.released);
}

BOOST_FIXTURE_TEST_CASE(what_does_not_finish_in_time_is_cut_off, reloading_pool) {
  const auto l = lease();
  pool.claim(l);
  pool.leave(now + seconds{5}, now);
  take();
  close_told();
  pass(seconds{6});
  BOOST_TEST((drained == std::vector<bool>{false}));
}

BOOST_FIXTURE_TEST_CASE(a_loss_without_auto_reconnect_is_over_when_that_is_switched_on, reloading_pool) {
  auto alone = small_policy(3, 6);
  alone.reconnect = false;
  become(alone);
  for (const auto id : in(phase::ready)) die(id);
  pass(seconds{60});
  BOOST_TEST(connecting() == 0U);
  // Other values are no reason to connect again.
  alone.max_waiters = 7;
  become(alone);
  pass(seconds{60});
  BOOST_TEST(connecting() == 0U);
  become(small_policy(3, 6));
  ready_all();
  BOOST_TEST(in(phase::ready).size() == 3U);
  share();
  BOOST_TEST(quick.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_shorter_retry_delay_counts_for_the_pause_that_has_begun, reloading_pool) {
  auto slow = small_policy(3, 6);
  slow.retry_base = std::chrono::hours{1};
  become(slow);
  for (const auto id : in(phase::ready)) die(id);
  const auto until_a_connect = [&](duration most) {
    for (const auto end = now + most; now < end && connecting() == 0;) pass(milliseconds{100});
    return connecting() > 0;
  };
  BOOST_TEST_REQUIRE(until_a_connect(seconds{60}));
  fail_all();
  BOOST_TEST(!until_a_connect(std::chrono::minutes{10}));
  become(small_policy(3, 6));
  BOOST_TEST(until_a_connect(seconds{5}));
}

BOOST_AUTO_TEST_CASE(a_shorter_idle_time_counts_for_a_standby_that_was_needed) {
  auto policy = small_policy(3, 6);
  policy.standby = true;
  policy.max_idle_time = std::chrono::hours{1};
  pool_harness it{policy};
  it.ready_all();
  it.share();
  it.pass(seconds{2});  // it grows bit by bit
  it.ready_all();
  it.complete(it.quick.at(0));
  BOOST_TEST_REQUIRE(it.in(phase::ready).size() == 3U);
  policy.max_idle_time = std::chrono::minutes{1};
  it.pool.reconfigure(policy, false, it.now);
  it.take();
  const auto idle_for = [&](duration span) {
    for (const auto end = it.now + span; it.now < end; it.close_told()) it.pass(seconds{1});
  };
  idle_for(seconds{50});
  BOOST_TEST(it.in(phase::ready).size() == 3U);
  idle_for(seconds{20});
  BOOST_TEST(it.in(phase::ready).size() == 1U);
}
