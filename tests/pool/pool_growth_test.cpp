// When a pool opens connections, and when not.
#include "pool/pool_harness.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using phase = pool_harness::phase;

namespace {

/// Plays `count` requests at once against connections that take `operation` each and `connect` to open; how long all
/// took and how many sockets there were at most.
struct played {
  duration took{};
  std::size_t most_sockets = 0;
};

played play(pool_harness& h, int count, duration operation, duration connect) {
  std::multimap<time_point, connection_id> done;
  std::map<connection_id, time_point> opening;
  std::map<connection_id, std::uint64_t> scheduled;
  for (const auto& [id, s] : h.sockets) scheduled[id] = s.carried;
  const auto begin = h.now;
  int finished = 0;
  played p;
  const auto look = [&] {
    p.most_sockets = std::max(p.most_sockets, h.sockets.size());
    for (auto& [id, s] : h.sockets) {
      if (s.at == phase::connecting && !opening.count(id)) opening[id] = h.now + connect;
      for (; scheduled[id] < s.carried; ++scheduled[id]) done.emplace(h.now + operation, id);
    }
  };
  for (int i = 0; i < count; ++i) h.share();
  look();
  while (finished < count) {
    auto next = done.empty() ? time_point::max() : done.begin()->first;
    for (const auto& [id, when] : opening) next = std::min(next, when);
    BOOST_TEST_REQUIRE((next < time_point::max()));
    h.pass(next - h.now);
    for (auto it = opening.begin(); it != opening.end();) {
      const auto [id, when] = *it;
      it = when <= h.now ? opening.erase(it) : std::next(it);
      if (when <= h.now) h.ready(id);
    }
    while (!done.empty() && done.begin()->first <= h.now) {
      const auto id = done.begin()->second;
      done.erase(done.begin());
      h.complete(id);
      ++finished;
      look();
    }
    look();
  }
  p.took = h.now - begin;
  return p;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_first_connection_opens_at_once_and_the_rest_in_the_background) {
  pool_harness h{small_policy(5, 50)};
  BOOST_TEST(h.connecting() == 1U);
  h.ready(h.in(phase::connecting).front());
  h.ready_all();
  BOOST_TEST(h.in(phase::ready).size() == 5U);
  h.pass(seconds{100});
  BOOST_TEST(h.sockets.size() == 5U);
}

BOOST_AUTO_TEST_CASE(preloading_opens_the_minimum_at_once_within_max_connecting) {
  auto p = small_policy(5, 50);
  p.preload = true;
  pool_harness h{p};
  BOOST_TEST(h.connecting() == 4U);
  h.ready(h.in(phase::connecting).front());
  BOOST_TEST(h.sockets.size() == 5U);
}

BOOST_AUTO_TEST_CASE(preloading_many_never_pauses_between_connects) {
  auto p = small_policy(40, 50);
  p.preload = true;
  pool_harness h{p};
  const auto began = h.now;
  while (h.in(phase::ready).size() < 40U && h.connecting() > 0U) h.ready(h.in(phase::connecting).front());
  BOOST_TEST(h.in(phase::ready).size() == 40U);
  BOOST_TEST((h.now == began));
  // One lost later is replaced without haste.
  h.die(h.in(phase::ready).front());
  BOOST_TEST(h.connecting() == 0U);
  h.pass(milliseconds{100});
  BOOST_TEST(h.connecting() == 1U);
}

BOOST_AUTO_TEST_CASE(without_a_minimum_nothing_opens_before_somebody_asks) {
  pool_harness h{small_policy(0, 50)};
  h.pass(seconds{10});
  BOOST_TEST(h.sockets.empty());
  const auto t = h.share();
  BOOST_TEST(h.connecting() == 1U);
  h.ready_all();
  BOOST_TEST((h.what(t) == waiter_outcome::kind::dispatched));
}

BOOST_AUTO_TEST_CASE(fifty_requests_on_five_idle_connections_open_hardly_any) {
  pool_harness h{small_policy(5, 50)};
  h.ready_all();
  const auto p = play(h, 50, milliseconds{2}, milliseconds{150});
  BOOST_TEST(p.most_sockets <= 6U);
  BOOST_TEST((p.took <= milliseconds{20}));
}

BOOST_AUTO_TEST_CASE(fifty_requests_one_at_a_time_on_five_connections_open_at_most_one) {
  auto policy = small_policy(5, 50);
  policy.max_in_flight = 1;
  pool_harness h{policy};
  for (int i = 0; i < 5; ++i) {
    for (auto id : h.in(phase::connecting)) {
      h.pass(milliseconds{150});
      h.ready(id);
    }
    h.pass(milliseconds{100});
  }
  BOOST_TEST(h.in(phase::ready).size() == 5U);
  const auto p = play(h, 50, milliseconds{2}, milliseconds{150});
  BOOST_TEST(p.most_sockets <= 6U);
  BOOST_TEST((p.took <= milliseconds{22}));
}

BOOST_AUTO_TEST_CASE(a_saturated_pool_grows_to_its_maximum) {
  auto policy = small_policy(1, 8);
  policy.max_in_flight = 4;
  pool_harness h{policy};
  h.ready_all();
  for (int i = 0; i < 100; ++i) h.share();
  for (int i = 0; i < 20; ++i) {
    h.pass(milliseconds{100});
    BOOST_TEST(h.connecting() <= 4U);
    for (auto id : h.in(phase::connecting)) h.ready(id);
  }
  BOOST_TEST(h.in(phase::ready).size() == 8U);
  BOOST_TEST(h.pool.counts(h.now).in_flight == 32U);
  BOOST_TEST(h.pool.counts(h.now).waiters == 68U);
}

BOOST_AUTO_TEST_CASE(shared_operations_go_to_the_least_loaded) {
  pool_harness h{small_policy(3, 3)};
  h.ready_all();
  for (int i = 0; i < 9; ++i) h.share();
  for (const auto& [id, s] : h.sockets) BOOST_TEST(s.open() == 3U);
}

BOOST_AUTO_TEST_CASE(a_few_shared_operations_of_one_moment_go_to_one_connection) {
  auto policy = small_policy(3, 3);
  policy.most_together = 4;
  pool_harness h{policy};
  h.ready_all();
  for (int i = 0; i < 9; ++i) h.share();
  std::multiset<std::uint64_t> loads;
  for (const auto& [id, s] : h.sockets) loads.insert(s.open());
  BOOST_TEST((loads == std::multiset<std::uint64_t>{1, 4, 4}));
  // What comes later than that finds the least loaded.
  h.pass(milliseconds{1});
  h.share();
  loads.clear();
  for (const auto& [id, s] : h.sockets) loads.insert(s.open());
  BOOST_TEST((loads == std::multiset<std::uint64_t>{2, 4, 4}));
  h.pass(milliseconds{1});
  h.share();
  h.pass(milliseconds{1});
  h.share();
  loads.clear();
  for (const auto& [id, s] : h.sockets) loads.insert(s.open());
  BOOST_TEST((loads == std::multiset<std::uint64_t>{4, 4, 4}));
}

BOOST_AUTO_TEST_CASE(operations_of_one_moment_do_not_go_where_they_are_answered_in_turn) {
  auto policy = small_policy(3, 3);
  policy.most_together = 4;
  pool_harness h{policy};
  h.in_turn = true;
  h.ready_all();
  for (int i = 0; i < 3; ++i) h.share();
  for (const auto& [id, s] : h.sockets) BOOST_TEST(s.open() == 1U);
}

BOOST_AUTO_TEST_CASE(of_idle_connections_the_most_recently_used_is_taken) {
  pool_harness h{small_policy(3, 3)};
  h.ready_all();
  h.share();
  const auto first = h.quick.back();
  h.complete(first);
  for (int i = 0; i < 10; ++i) {
    h.share();
    BOOST_TEST(h.quick.back() == first);
    h.complete(first);
  }
}

BOOST_AUTO_TEST_CASE(every_kind_of_socket_counts_against_the_maximum) {
  auto policy = small_policy(0, 3);
  policy.max_in_flight = 1;
  pool_harness h{policy};
  BOOST_TEST(h.pool.take_probe_slot(h.now));
  h.ask(acquire_kind::bind);
  h.ready_all();
  for (int i = 0; i < 10; ++i) h.share();
  h.ready_all();
  h.pass(seconds{5});
  BOOST_TEST(h.sockets.size() == 2U);
  BOOST_TEST(h.pool.counts(h.now).size == 3U);
  BOOST_TEST(!h.pool.take_probe_slot(h.now));
  h.pool.give_probe_slot(h.now);
  h.take();
  h.pass(milliseconds{100});
  BOOST_TEST(h.sockets.size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_probe_slot_given_back_twice_does_no_harm) {
  pool_harness h{small_policy(0, 1)};
  h.pool.give_probe_slot(h.now);
  BOOST_TEST(h.pool.take_probe_slot(h.now));
  BOOST_TEST(!h.pool.take_probe_slot(h.now));
}

BOOST_AUTO_TEST_CASE(a_standby_keeps_one_warm_connection_until_it_is_needed) {
  auto policy = small_policy(5, 50);
  policy.standby = true;
  pool_harness h{policy};
  h.ready_all();
  h.pass(seconds{5});
  BOOST_TEST(h.sockets.size() == 1U);
  h.share();
  h.pass(seconds{2});
  h.ready_all();
  BOOST_TEST(h.sockets.size() == 5U);
  for (const auto& [id, s] : h.sockets) h.complete(id, s.open());
  h.pass(seconds{700});
  h.close_told();
  BOOST_TEST(h.sockets.size() == 1U);
}

BOOST_AUTO_TEST_CASE(one_connection_on_demand_when_pooling_is_off) {
  auto policy = small_policy(0, 50);
  policy.max_pooled = 1;
  policy.max_in_flight = 2;
  pool_harness h{policy};
  for (int i = 0; i < 10; ++i) h.share();
  h.ready_all();
  h.pass(seconds{2});
  BOOST_TEST(h.sockets.size() == 1U);
  BOOST_TEST(h.pool.counts(h.now).waiters == 8U);
}

BOOST_AUTO_TEST_CASE(a_connection_with_a_slow_reader_is_given_nothing_and_counts_as_taken) {
  pool_harness h(small_policy(1, 3));
  const auto first = h.sockets.begin()->first;
  h.ready(first);
  h.share();
  h.sockets.at(first).reader_behind->store(true);
  const auto waiting = h.share();
  BOOST_TEST_REQUIRE(waiting != 0u);
  h.pass(milliseconds{1});
  BOOST_REQUIRE(h.sockets.size() == 2u);
  const auto second = h.sockets.rbegin()->first;
  h.ready(second);
  BOOST_TEST(h.outcome(waiting).connection == second);
  // With its reader back it takes its part again.
  h.sockets.at(first).reader_behind->store(false);
  h.complete(first);
  for (int i = 0; i < 2; ++i) h.share();
  BOOST_TEST(h.sockets.at(first).open() > 0u);
}
