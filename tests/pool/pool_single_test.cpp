// Without pooling (use_pool = false): requests share one connection, leases get new ones; and what counts as reuse.
#include "pool/pool_harness.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using phase = pool_harness::phase;

namespace {

pool_policy single_policy() {
  auto p = small_policy(0, 4);
  p.single = true;
  p.max_bind = 1;
  return p;
}

struct single_connection : pool_harness {
  single_connection() : pool_harness(single_policy()) {}
};

struct filled : pool_harness {
  filled() : pool_harness(small_policy(25, 50)) { ready_all(); }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(without_pooling_requests_share_one_connection_opened_on_demand, single_connection) {
  pass(seconds{10});
  BOOST_TEST(sockets.empty());
  for (int i = 0; i < 40; ++i) share();
  ready_all();
  for (int i = 0; i < 40; ++i) share();
  pass(seconds{10});
  BOOST_TEST(sockets.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(without_pooling_a_second_lease_gets_a_new_connection, single_connection) {
  const auto first = ask(acquire_kind::lease);
  ready_all();
  BOOST_TEST(granted(first));
  const auto second = ask(acquire_kind::lease);
  BOOST_TEST(waiting(second));
  ready_all();
  BOOST_TEST_REQUIRE(granted(second));
  BOOST_TEST(outcome(second).connection != outcome(first).connection);
  BOOST_TEST(sockets.size() == 2U);
  const auto request = share();
  ready_all();
  BOOST_TEST((request == 0 || what(request) == kind::dispatched), "requests are served beside leases");
}

BOOST_FIXTURE_TEST_CASE(without_pooling_a_connection_that_comes_back_is_waited_for, single_connection) {
  const auto first = ask(acquire_kind::lease);
  ready_all();
  BOOST_TEST(release(outcome(first).lease));
  const auto request = share(), second = ask(acquire_kind::lease);
  BOOST_TEST(sockets.size() == 2U, "one comes back for the request, one is opened for the lease");
  reset_done();
  BOOST_TEST((what(request) == kind::dispatched));
  ready_all();
  BOOST_TEST(granted(second));
}

BOOST_FIXTURE_TEST_CASE(without_pooling_what_was_opened_for_a_lease_goes_with_it, single_connection) {
  std::vector<lease_id> held;
  for (int i = 0; i < 3; ++i) {
    const auto t = ask(acquire_kind::lease);
    ready_all();
    BOOST_TEST_REQUIRE(granted(t));
    held.push_back(outcome(t).lease);
  }
  for (const auto id : held) BOOST_TEST(release(id));
  reset_done();
  close_told();
  BOOST_TEST(sockets.size() == 1U);
  BOOST_TEST(pool.counts(now).idle == 1U);
  const auto s = pool.snapshot(now);
  BOOST_TEST(s.acquired == s.released + s.leased);
}

BOOST_FIXTURE_TEST_CASE(without_pooling_a_returned_connection_is_kept_for_who_waits, single_connection) {
  std::vector<waiter_id> asked;
  for (int i = 0; i < 5; ++i) asked.push_back(ask(acquire_kind::lease));
  ready_all();
  BOOST_TEST(waiting(asked[4]), "max_connections holds");
  BOOST_TEST(sockets.size() == 4U);
  release(outcome(asked[0]).lease);
  reset_done();
  BOOST_TEST(granted(asked[4]));
  BOOST_TEST(outcome(asked[4]).connection == outcome(asked[0]).connection);
}

BOOST_FIXTURE_TEST_CASE(leases_on_connections_that_were_there_need_no_new_one, filled) {
  for (int i = 0; i < 25; ++i) lease();
  auto s = pool.snapshot(now);
  BOOST_TEST(s.acquired == 25U);
  BOOST_TEST(s.fresh == 0U);
  const auto one_more = ask(acquire_kind::lease);
  ready_all();
  BOOST_TEST(granted(one_more));
  s = pool.snapshot(now);
  BOOST_TEST(s.acquired == 26U);
  BOOST_TEST(s.fresh == 1U);
}

BOOST_AUTO_TEST_CASE(of_those_who_wait_for_one_connection_the_first_needed_it) {
  pool_harness it{small_policy(0, 1)};
  for (int i = 0; i < 10; ++i) it.share();
  const auto bind = it.ask(acquire_kind::bind);
  it.pass(milliseconds{5});
  it.ready_all();
  const auto s = it.pool.snapshot(it.now);
  BOOST_TEST(s.dispatched >= 10U);
  BOOST_TEST(s.fresh == (it.waiting(bind) ? 1U : 2U));
}
