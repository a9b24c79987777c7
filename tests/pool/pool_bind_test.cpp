// Binds of users: connections of their own, one bind at a time.
#include "pool/pool_harness.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using phase = pool_harness::phase;
using outcome = waiter_outcome::kind;

namespace {

pool_policy binding(std::uint32_t max, std::uint32_t binds) {
  auto p = small_policy(1, max);
  p.max_bind = binds;
  return p;
}

}  // namespace

BOOST_AUTO_TEST_CASE(binds_never_run_on_pooled_connections_nor_two_at_a_time) {
  pool_harness h{binding(10, 2)};
  h.ready_all();
  std::vector<waiter_id> all;
  for (int i = 0; i < 5; ++i) all.push_back(h.ask(acquire_kind::bind));
  h.ready_all();
  const auto binds = h.in(phase::ready, connection_kind::bind);
  BOOST_TEST(binds.size() == 2U);
  for (const auto id : binds) BOOST_TEST(h.sockets.at(id).open() == 1U);
  for (int i = 0; i < 3; ++i) {
    h.complete(binds[0]);
    BOOST_TEST(h.sockets.at(binds[0]).open() == (i < 3 ? 1U : 0U));
  }
  BOOST_TEST((h.served == all));
  BOOST_TEST(h.sockets.at(h.in(phase::ready).front()).carried == 0U);
}

BOOST_AUTO_TEST_CASE(bind_connections_open_on_demand_and_close_when_idle) {
  pool_harness h{binding(10, 4)};
  h.ready_all();
  BOOST_TEST(h.in(phase::ready, connection_kind::bind).empty());
  h.ask(acquire_kind::bind);
  h.ready_all();
  const auto id = h.in(phase::ready, connection_kind::bind).front();
  h.complete(id);
  h.pass(seconds{62});
  h.close_told();
  BOOST_TEST(h.sockets.count(id) == 0U);
  BOOST_TEST(h.sockets.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_bind_connection_that_is_never_idle_ends_with_its_lifetime) {
  auto p = binding(10, 1);
  p.max_lifetime = seconds{100};
  pool_harness h{p};
  h.ready_all();
  std::set<connection_id> used;
  std::vector<waiter_id> all;
  for (int second = 0; second < 250; ++second) {
    all.push_back(h.ask(acquire_kind::bind));
    for (const auto id : h.in(phase::connecting, connection_kind::bind)) h.ready(id);
    for (const auto id : h.in(phase::ready, connection_kind::bind)) {
      used.insert(id);
      h.complete(id);
    }
    h.pass(seconds{1});
    for (const auto id : h.in(phase::connecting)) h.ready(id);
    h.close_told();
  }
  BOOST_TEST(used.size() >= 3U);
  BOOST_TEST(used.size() <= 5U);
  BOOST_TEST(h.served.size() >= all.size() - 1);
}

BOOST_AUTO_TEST_CASE(an_old_bind_connection_is_kept_while_pooled_connects_fail) {
  auto p = binding(10, 1);
  p.min = 2;
  p.max_lifetime = seconds{100};
  pool_harness h{p};
  h.ready_all();
  h.ask(acquire_kind::bind);
  h.ready_all();
  const auto old = h.in(phase::ready, connection_kind::bind).front();
  h.complete(old);
  // One of the pool's is lost and cannot be had again: nor might another one for binds.
  h.die(h.in(phase::ready).front());
  const auto use_for = [&](int span, bool connects) {
    for (int second = 0; second < span; ++second) {
      for (const auto id : h.in(phase::connecting)) connects ? h.ready(id) : h.fail(id);
      const auto login = h.ask(acquire_kind::bind);
      for (const auto id : h.in(phase::connecting, connection_kind::bind)) h.ready(id);
      BOOST_TEST((h.what(login) == outcome::dispatched));
      for (const auto id : h.in(phase::ready, connection_kind::bind)) h.complete(id);
      h.pass(seconds{1});
      h.close_told();
    }
  };
  use_for(150, false);
  BOOST_TEST((h.in(phase::ready, connection_kind::bind) == std::vector{old}));
  use_for(60, true);
  BOOST_TEST(h.sockets.count(old) == 0U);
}

BOOST_AUTO_TEST_CASE(a_full_pool_makes_room_for_a_bind_by_closing_an_idle_connection) {
  auto p = binding(2, 2);
  p.min = 2;
  pool_harness h{p};
  h.ready_all();
  BOOST_TEST(h.sockets.size() == 2U);
  const auto t = h.ask(acquire_kind::bind);
  h.close_told();
  h.ready_all();
  BOOST_TEST((h.what(t) == outcome::dispatched));
  BOOST_TEST(h.sockets.size() == 2U);
}

BOOST_AUTO_TEST_CASE(with_one_socket_binds_and_searches_take_turns) {
  auto p = small_policy(1, 1);
  pool_harness h{p};
  h.ready_all();
  int binds = 0, searches = 0;
  std::set<waiter_id> waiting;
  for (int i = 0; i < 400; ++i) {
    if (i % 4 == 0) waiting.insert(h.ask(acquire_kind::bind, seconds{1000}));
    if (i % 4 == 2) waiting.insert(h.ask(acquire_kind::shared, seconds{1000}));
    h.pass(milliseconds{50});
    BOOST_TEST(h.sockets.size() <= 1U);
    std::vector<connection_id> open;
    for (const auto& [id, s] : h.sockets)
      if (s.open() > 0) open.push_back(id);
    for (const auto id : open) h.complete(id);
    h.close_told();
    h.ready_all();
  }
  for (const auto t : waiting)
    if (h.what(t) == outcome::dispatched) ++(h.sockets.empty() ? binds : searches);
  BOOST_TEST(binds + searches >= 150);
}

BOOST_AUTO_TEST_CASE(waiting_binds_do_not_hold_up_searches_nor_the_other_way_round) {
  auto p = binding(3, 1);
  p.max_in_flight = 1;
  p.max_pooled = 1;
  pool_harness h{p};
  h.ready_all();
  h.ask(acquire_kind::bind);
  h.ready_all();
  const auto bind = h.ask(acquire_kind::bind), search = h.ask(acquire_kind::shared), next = h.ask(acquire_kind::shared);
  BOOST_TEST(h.waiting(bind));
  BOOST_TEST((h.what(search) == outcome::dispatched));
  h.complete(h.in(phase::ready, connection_kind::bind).front());
  BOOST_TEST((h.what(bind) == outcome::dispatched));
  BOOST_TEST(h.waiting(next));
}

BOOST_AUTO_TEST_CASE(a_failed_bind_connect_sends_waiting_binds_away_only) {
  pool_harness h{binding(10, 2)};
  h.ready_all();
  const auto bind = h.ask(acquire_kind::bind);
  for (const auto id : h.in(phase::connecting, connection_kind::bind)) h.fail(id);
  // It might do without one of the others; they say that they cannot help.
  BOOST_TEST(h.waiting(bind));
  h.answer_checks(false);
  BOOST_TEST((h.what(bind) == outcome::redispatch));
  h.close_told();
  h.ready_all();
  BOOST_TEST(h.share() == 0U);
  BOOST_TEST(h.in(phase::ready).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_bind_connection_of_ones_own_leaves_others_theirs) {
  auto p = binding(4, 1);
  p.leak_threshold = seconds{1};
  pool_harness h{p};
  h.ready_all();
  const auto own = [&] {
    const auto t = h.ask(acquire_kind::bind_lease);
    h.ready_all();
    if (h.granted(t)) h.pool.claim(h.outcome(t).lease);
    return t;
  };
  const auto first = own();
  BOOST_TEST_REQUIRE(h.granted(first));
  BOOST_TEST((h.sockets.at(h.outcome(first).connection).kind == connection_kind::bind));
  // It counts against no limit of single binds, and is in nobody's way.
  const auto single = h.ask(acquire_kind::bind);
  h.ready_all();
  BOOST_TEST((h.what(single) == outcome::dispatched));
  BOOST_TEST(h.outcome(single).connection != h.outcome(first).connection);
  h.complete(h.outcome(single).connection);
  BOOST_TEST(h.granted(own()));
  BOOST_TEST(h.granted(own()));
  // The last socket is everybody's.
  const auto fourth = own();
  BOOST_TEST(h.waiting(fourth));
  BOOST_TEST((h.share() == 0U));
  // Who holds one may be long.
  h.pass(seconds{3});
  BOOST_TEST(h.pool.snapshot(h.now).leaks == 0U);
  BOOST_TEST(h.pool.snapshot(h.now).leased == 3U);
  BOOST_TEST(h.release(h.outcome(first).lease));
  h.ready(h.outcome(first).connection);
  BOOST_TEST(h.granted(fourth));
  BOOST_TEST(h.outcome(fourth).connection == h.outcome(first).connection);
}
