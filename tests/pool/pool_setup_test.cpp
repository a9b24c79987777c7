// Connections whose set-up the server leaves unanswered: they hold up nobody.
#include "pool/pool_harness.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using phase = pool_harness::phase;
using outcome = waiter_outcome::kind;

namespace {

pool_policy patient_policy(std::uint32_t min, std::uint32_t max) {
  auto p = small_policy(min, max);
  p.max_connecting = 2;
  p.setup_patience = seconds{1};
  p.connect_timeout = seconds{30};
  p.failover_timeout = duration::zero();  // nobody leaves for another server
  return p;
}

/// The set-ups that are under way now.
std::set<connection_id> under_way(const pool_harness& h) {
  std::set<connection_id> ids;
  for (auto k : {connection_kind::pooled, connection_kind::bind})
    for (const auto id : h.in(phase::connecting, k)) ids.insert(id);
  return ids;
}

/// How many connects it sees within `span` whose set-ups all hang, and whether it stays within its limits.
std::size_t connects_within(pool_harness& h, duration span) {
  const auto before = h.numbers;
  for (const auto end = h.now + span; h.now < end; h.pass(milliseconds{100})) {
    BOOST_TEST_REQUIRE(h.connecting() <= h.pool.policy().max_connecting);
    BOOST_TEST_REQUIRE(h.sockets.size() <= h.pool.policy().max);
    h.close_told();
  }
  return h.numbers - before;
}

/// The one that is under way besides `hung`.
connection_id only_new_one(const pool_harness& h, const std::set<connection_id>& hung) {
  auto fresh = under_way(h);
  for (const auto id : hung) fresh.erase(id);
  BOOST_TEST_REQUIRE(fresh.size() == 1U);
  return *fresh.begin();
}

}  // namespace

BOOST_AUTO_TEST_CASE(who_waits_for_set_ups_that_hang_gets_another_connection) {
  for (const auto kind : {acquire_kind::shared, acquire_kind::lease, acquire_kind::bind}) {
    pool_harness h{patient_policy(3, 8)};
    if (kind == acquire_kind::bind) h.ready_all();
    const auto first = h.ask(kind), second = h.ask(kind), third = h.ask(kind);
    const auto hung = under_way(h);
    BOOST_TEST(hung.size() == 2U);
    h.pass(milliseconds{900});
    BOOST_TEST((under_way(h) == hung));
    h.pass(milliseconds{200});
    h.close_told();
    h.ready(only_new_one(h, hung));
    BOOST_TEST((h.what(first) == (kind == acquire_kind::lease ? outcome::granted : outcome::dispatched)));
    BOOST_TEST(h.reports.empty(), "what was given up says nothing against the server");
    BOOST_TEST((second < third));
  }
}

BOOST_AUTO_TEST_CASE(a_sole_set_up_that_hangs_is_waited_for_beside_another_one) {
  pool_harness h{patient_policy(1, 8)};
  const auto t = h.ask(acquire_kind::shared);
  const auto slow = *under_way(h).begin();
  h.pass(milliseconds{1100});
  BOOST_TEST(under_way(h).size() == 2U);
  BOOST_TEST(under_way(h).count(slow) == 1U);
  h.ready(slow);
  BOOST_TEST((h.what(t) == outcome::dispatched), "it was only slow");
}

BOOST_AUTO_TEST_CASE(a_server_that_is_slow_to_set_up_is_reached_whatever_the_limits) {
  for (const auto most : {1U, 2U, 3U})
    for (const auto takes : {milliseconds{1600}, milliseconds{3500}, milliseconds{9000}}) {
      auto p = patient_policy(most, most);
      p.max_connecting = most;
      p.longest_setup_patience = seconds{1};
      pool_harness h{p};
      const auto t = h.ask(acquire_kind::shared, seconds{60});
      std::map<connection_id, time_point> begun;
      for (int i = 0; i < 590 && h.waiting(t); ++i) {
        for (const auto id : under_way(h)) begun.emplace(id, h.now);
        h.close_told();
        h.pass(milliseconds{100});
        for (const auto id : under_way(h))
          if (begun.count(id) != 0 && h.now - begun[id] >= takes) h.ready(id);
      }
      BOOST_TEST((h.what(t) == outcome::dispatched), most << " connections, " << takes.count() << " ms each");
    }
}

BOOST_AUTO_TEST_CASE(set_ups_that_hang_are_replaced_more_and_more_rarely) {
  pool_harness h{patient_policy(3, 8)};
  h.ask(acquire_kind::shared, seconds{600});
  h.ask(acquire_kind::bind, seconds{600});
  const auto first = connects_within(h, seconds{10}), then = connects_within(h, seconds{10});
  BOOST_TEST(first > 0U);
  BOOST_TEST(first < 10U);
  BOOST_TEST(then <= 2U);
}

BOOST_AUTO_TEST_CASE(a_repaired_server_is_reached_within_the_longest_backoff_however_long_it_hung) {
  for (const auto outage : {seconds{3}, seconds{8}, seconds{20}})
    for (const bool binds : {false, true}) {
      auto p = patient_policy(3, 8);
      p.longest_setup_patience = seconds{1};
      pool_harness h{p};
      const auto t = h.ask(acquire_kind::shared, seconds{60});
      if (binds) h.ask(acquire_kind::bind, seconds{60});
      connects_within(h, outage);
      const auto hung = under_way(h);  // the server has forgotten them
      for (const auto end = h.now + milliseconds{2300}; h.now < end && h.waiting(t); h.pass(milliseconds{100})) {
        h.close_told();
        for (const auto id : under_way(h))
          if (hung.count(id) == 0) h.ready(id);
      }
      BOOST_TEST((h.what(t) == outcome::dispatched), outage.count() << " s, binds: " << binds);
    }
}

BOOST_AUTO_TEST_CASE(set_ups_that_hang_are_left_alone_while_nobody_waits) {
  pool_harness h{patient_policy(3, 8)};
  const auto hung = under_way(h);
  h.pass(seconds{20});
  BOOST_TEST((under_way(h) == hung));
}

BOOST_AUTO_TEST_CASE(a_set_up_that_makes_progress_or_waits_for_us_does_not_hang) {
  pool_harness h{patient_policy(3, 8)};
  h.ask(acquire_kind::shared);
  h.ask(acquire_kind::lease);
  const auto all = under_way(h);
  BOOST_TEST_REQUIRE(all.size() == 2U);
  h.sockets.at(*all.begin()).awaited_since->store(time_point::max());
  for (int i = 0; i < 50; ++i) {
    h.pass(milliseconds{100});
    h.sockets.at(*all.rbegin()).awaited_since->store(h.now);
  }
  BOOST_TEST((under_way(h) == all));
}

BOOST_AUTO_TEST_CASE(set_ups_begun_before_the_breaker_closed_are_begun_anew) {
  pool_harness h{patient_policy(3, 8)};
  h.ready_all();
  for (const auto id : h.in(phase::ready)) h.die(id);
  h.ask(acquire_kind::shared);
  const auto hung = under_way(h);
  BOOST_TEST(hung.size() == 2U);
  h.pool.on_breaker(breaker_state::open, h.now);
  h.take();
  h.pass(seconds{5});
  h.pool.on_breaker(breaker_state::half_open, h.now);
  h.take();
  h.close_told();
  h.pool.on_breaker(breaker_state::closed, h.now);
  h.take();
  h.close_told();
  h.pass(milliseconds{200});
  BOOST_TEST_REQUIRE(!under_way(h).empty());
  for (const auto id : hung) BOOST_TEST(under_way(h).count(id) == 0U);
}

BOOST_AUTO_TEST_CASE(set_ups_begun_before_a_probe_was_answered_are_begun_anew) {
  pool_harness h{patient_policy(3, 8)};
  const auto hung = under_way(h);
  h.pass(milliseconds{500});
  h.pool.on_breaker(breaker_state::closed, h.now);
  h.take();
  BOOST_TEST((under_way(h) == hung), "not yet known to hang");
  h.pass(seconds{2});
  h.close_told();
  BOOST_TEST_REQUIRE(!under_way(h).empty());
  for (const auto id : hung) BOOST_TEST(under_way(h).count(id) == 0U);
  h.ready_all();
  BOOST_TEST(h.in(phase::ready).size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_connection_that_is_ready_overtakes_those_that_were_begun_earlier) {
  pool_harness h{patient_policy(3, 8)};
  const auto t = h.ask(acquire_kind::shared);
  const auto hung = under_way(h);
  BOOST_TEST_REQUIRE(hung.size() == 2U);
  h.pass(milliseconds{1100});
  h.close_told();
  h.ready(only_new_one(h, hung));
  BOOST_TEST((h.what(t) == outcome::dispatched));
  h.close_told();
  for (const auto id : hung) BOOST_TEST(h.sockets.count(id) == 0U);
  h.ready_all();
  BOOST_TEST(h.in(phase::ready).size() == 3U);
}
