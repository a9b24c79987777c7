// Connects that fail beside connections that answer: a limit of their number, not a dead server.
#include "pool/pool_harness.hpp"

#include <algorithm>
#include <array>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using phase = pool_harness::phase;
using outcome = waiter_outcome::kind;

namespace {

/// A server that takes `most` connections: each connect beyond is refused; checks are answered.
std::size_t play(pool_harness& h, std::size_t most, int seconds_long, std::size_t& largest) {
  std::size_t refused = 0;
  for (int i = 0; i < seconds_long * 10; ++i) {
    for (auto k : {connection_kind::pooled, connection_kind::bind})
      for (const auto id : h.in(phase::connecting, k)) {
        const auto open = h.sockets.size() - h.connecting();
        largest = std::max(largest, open);
        if (open < most) {
          h.ready(id);
        } else {
          ++refused;
          h.fail(id);
        }
      }
    h.answer_checks(true);
    h.close_told();
    h.pass(milliseconds{100});
  }
  return refused;
}

failure_ptr no_descriptors() { return connect_failure(errc::local_resources); }

}  // namespace

BOOST_AUTO_TEST_CASE(a_server_with_a_limit_of_connections_is_served_with_what_it_takes) {
  pool_harness h{small_policy(5, 50)};
  std::size_t largest = 0;
  const auto refused = play(h, 3, 600, largest);
  BOOST_TEST(h.in(phase::ready).size() == 3U);
  BOOST_TEST(h.reports.empty());
  BOOST_TEST(refused < 100U, "growth backs off");
  BOOST_TEST(refused > 10U, "but is never given up");
  BOOST_TEST(h.pool.snapshot(h.now).growth_limit == 3U);
  BOOST_TEST(std::count_if(h.notes.begin(), h.notes.end(),
                           [](const std::string& n) { return n.find("no more than 3") == 0; }) == 1);
  BOOST_TEST(h.share() == 0U);
  BOOST_TEST(h.quick.size() == 1U, "what is open serves at once");
}

BOOST_AUTO_TEST_CASE(a_limit_that_is_lifted_is_noticed) {
  pool_harness h{small_policy(5, 50)};
  std::size_t largest = 0;
  play(h, 3, 60, largest);
  play(h, 50, 40, largest);
  BOOST_TEST(h.in(phase::ready).size() == 5U);
  BOOST_TEST(h.pool.snapshot(h.now).growth_limit == 0U);
  BOOST_TEST_REQUIRE(!h.notes.empty());
  BOOST_TEST(h.notes.back().find("can be had again") != std::string::npos, h.notes.back());
}

BOOST_AUTO_TEST_CASE(what_dies_below_the_limit_is_replaced_at_once) {
  pool_harness h{small_policy(5, 50)};
  std::size_t largest = 0;
  play(h, 3, 60, largest);
  h.die(h.in(phase::ready).front());
  h.pass(milliseconds{200});
  BOOST_TEST(h.connecting() == 1U);
  h.ready(h.in(phase::connecting).front());
  BOOST_TEST(h.in(phase::ready).size() == 3U);
  BOOST_TEST(h.reports.empty());
}

BOOST_AUTO_TEST_CASE(within_a_limit_idle_connections_make_room_for_users_binds) {
  pool_harness h{small_policy(5, 50)};
  std::size_t largest = 0;
  play(h, 3, 60, largest);
  const auto t = h.ask(acquire_kind::bind);
  play(h, 3, 1, largest);
  BOOST_TEST((h.what(t) == outcome::dispatched));
  BOOST_TEST(h.in(phase::ready).size() == 2U);
  BOOST_TEST(h.reports.empty());
}

BOOST_AUTO_TEST_CASE(a_bind_that_meets_the_limit_first_gets_the_place_of_an_idle_connection) {
  pool_harness h{small_policy(3, 50)};
  h.ready_all();
  const auto t = h.ask(acquire_kind::bind);
  h.fail_all();
  BOOST_TEST(h.waiting(t));
  h.answer_checks(true);
  BOOST_TEST(h.waiting(t));
  h.close_told();
  h.ready_all();
  BOOST_TEST((h.what(t) == outcome::dispatched));
}

BOOST_AUTO_TEST_CASE(connects_that_fail_beside_connections_that_do_not_answer_are_the_servers) {
  pool_harness h{small_policy(2, 5)};
  h.ready_all();
  const auto l = h.lease();
  h.ask(acquire_kind::lease);
  h.ask(acquire_kind::lease);
  h.fail_all();
  BOOST_TEST(h.reports.empty());
  BOOST_TEST_REQUIRE(h.checks.size() == 1U);
  h.answer_checks(false);
  h.answer_checks(false);
  BOOST_TEST((h.reports == std::vector<failure_class>{failure_class::transport}));
  BOOST_TEST(h.pool.snapshot(h.now).growth_limit == 0U);
  BOOST_TEST(!h.release(l + 1000));
}

BOOST_AUTO_TEST_CASE(what_is_silent_is_no_witness) {
  pool_harness h{small_policy(1, 5)};
  h.ready_all();
  h.sockets.at(h.in(phase::ready).front()).silent->store(true);
  h.lease();
  h.ask(acquire_kind::lease);
  h.fail_all();
  BOOST_TEST(h.checks.empty());
  BOOST_TEST((h.reports == std::vector<failure_class>{failure_class::transport}));
}

/// What an idle connection is asked shows in time whether it works; its silence until then says nothing.
BOOST_AUTO_TEST_CASE(an_idle_connection_that_is_asked_keeps_its_time_when_its_server_is_left) {
  for (const bool as_witness : {true, false}) {
    auto p = small_policy(2, 2);
    if (!as_witness) p.validate_interval = seconds{10};
    pool_harness h{p};
    h.ready_all();
    if (as_witness) {
      h.die(h.in(phase::ready).front());
      h.pass(seconds{1});
      h.fail_all();
    } else {
      h.pass(seconds{12});
    }
    BOOST_TEST_REQUIRE(h.checks.size() == 1U);
    const auto asked = h.checks.front();
    h.sockets.at(asked).silent->store(true);
    h.pool.on_breaker(breaker_state::open, h.now);
    h.take();
    BOOST_TEST((h.sockets.at(asked).at == phase::ready));
    h.answer_checks(false);
    BOOST_TEST((h.sockets.at(asked).at == phase::closing));
  }
}

/// What is given to it from then on has no part in that.
BOOST_AUTO_TEST_CASE(a_connection_that_was_asked_and_is_used_since_has_no_time_left_by_that) {
  pool_harness h{small_policy(1, 1)};
  h.ready_all();
  const auto only = h.in(phase::ready).front();
  h.pool.ask_all(h.now + seconds{4});
  h.share();
  BOOST_TEST_REQUIRE((h.quick == std::vector{only}));
  h.sockets.at(only).silent->store(true);
  h.pool.on_breaker(breaker_state::open, h.now);
  h.take();
  BOOST_TEST((h.sockets.at(only).at == phase::closing));
}

BOOST_AUTO_TEST_CASE(connects_of_both_kinds_that_fail_together_ask_one_witness) {
  pool_harness h{small_policy(1, 5)};
  h.ready_all();
  h.lease();
  h.ask(acquire_kind::lease);
  h.ask(acquire_kind::bind);
  BOOST_TEST_REQUIRE(h.connecting() == 2U);
  h.fail_all();
  BOOST_TEST(h.checks.size() == 1U);
  while (!h.checks.empty()) h.answer_checks(false);
  BOOST_TEST((h.reports == std::vector<failure_class>{failure_class::transport}));
}

BOOST_AUTO_TEST_CASE(who_waits_beside_open_connections_stays_when_a_connect_is_the_servers_failure) {
  pool_harness h{small_policy(3, 5)};
  h.ready_all();
  for (int i = 0; i < 3; ++i) h.lease();
  const auto later = h.ask(acquire_kind::lease);
  h.fail_all();
  h.answer_checks(false);
  h.answer_checks(false);
  BOOST_TEST_REQUIRE(h.reports.size() == 1U);
  BOOST_TEST(h.waiting(later));
}

BOOST_AUTO_TEST_CASE(our_own_lack_of_descriptors_is_no_failure_of_the_server) {
  auto p = small_policy(5, 50);
  p.preload = true;
  pool_harness h{p};
  h.ready(h.in(phase::connecting).front());
  std::size_t tries = 0;
  for (int i = 0; i < 600; ++i) {
    tries += h.connecting();
    h.fail_all(no_descriptors());
    h.pass(milliseconds{100});
  }
  BOOST_TEST(h.reports.empty());
  BOOST_TEST(h.checks.empty(), "nothing has to be asked: it is known to be ours");
  BOOST_TEST(tries < 40U);
  BOOST_TEST(h.pool.snapshot(h.now).growth_limit == 1U);
  BOOST_TEST(h.share() == 0U);
  BOOST_TEST(h.quick.size() == 1U);
}

BOOST_AUTO_TEST_CASE(with_nothing_open_a_lack_of_descriptors_is_told_and_not_counted) {
  pool_harness h{small_policy(1, 5)};
  const auto t = h.ask(acquire_kind::shared, seconds{30}, nullptr, true, 3);
  h.fail_all(no_descriptors());
  BOOST_TEST((h.what(t) == outcome::refused));
  BOOST_TEST(h.code(t) == errc::local_resources);
  BOOST_TEST(h.reports.empty());
  BOOST_TEST(h.pool.snapshot(h.now).last_error.find("refused by the test") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(idle_connections_that_die_in_one_moment_are_replaced_at_once_and_nobody_is_sent_away) {
  pool_harness h{small_policy(5, 50)};
  h.ready_all();
  for (const auto id : h.in(phase::ready)) h.die(id);
  BOOST_TEST(h.connecting() == 1U, "no pause: nothing is left");
  const auto t = h.share();
  BOOST_TEST(h.waiting(t));
  BOOST_TEST(h.reports.empty());
  h.ready_all();
  BOOST_TEST((h.what(t) == outcome::dispatched));
  BOOST_TEST(h.reports.empty());
}

BOOST_AUTO_TEST_CASE(idle_bind_connections_make_room_for_leases) {
  pool_harness h{small_policy(1, 4)};
  h.ready_all();
  const auto bind = h.ask(acquire_kind::bind);
  h.ready_all();
  h.complete(h.outcome(bind).connection);
  std::vector<waiter_id> leases;
  for (int i = 0; i < 4; ++i) leases.push_back(h.ask(acquire_kind::lease));
  for (int i = 0; i < 10; ++i) {
    h.ready_all();
    h.close_told();
  }
  for (const auto t : leases) BOOST_TEST(h.granted(t));
}

BOOST_AUTO_TEST_CASE(an_idle_bind_connection_is_not_taken_for_the_minimum_alone) {
  pool_harness h{small_policy(4, 4)};
  h.ready_all();
  const auto t = h.ask(acquire_kind::bind);
  h.close_told();
  h.ready_all();
  BOOST_TEST((h.what(t) == outcome::dispatched));
  h.complete(h.outcome(t).connection);
  h.pass(seconds{5});
  BOOST_TEST(h.in(phase::ready, connection_kind::bind).size() == 1U);
  BOOST_TEST(h.in(phase::ready).size() == 3U);
}

BOOST_AUTO_TEST_CASE(who_waits_for_the_first_connection_is_no_waiter_too_many) {
  auto p = small_policy(2, 4);
  p.max_waiters = 0;
  p.max_in_flight = 2;
  p.max_connecting = 1;
  pool_harness h{p};
  BOOST_TEST(h.connecting() == 1U);
  const auto a = h.share(), b = h.share(), c = h.share();
  BOOST_TEST(h.waiting(a));
  BOOST_TEST(h.waiting(b));
  BOOST_TEST(h.code(c) == errc::queue_full, "there is no room for a third one");
  h.ready_all();
  for (const auto t : {a, b}) BOOST_TEST((h.what(t) == outcome::dispatched));
  const auto user = h.ask(acquire_kind::bind), second = h.ask(acquire_kind::bind);
  BOOST_TEST(h.waiting(user));
  BOOST_TEST(h.code(second) == errc::queue_full);
  h.ready_all();
  BOOST_TEST((h.what(user) == outcome::dispatched));
}

BOOST_AUTO_TEST_CASE(an_idle_connection_is_not_used_while_its_check_is_out) {
  auto p = small_policy(2, 2);
  p.validate_interval = seconds{10};
  pool_harness h{p};
  h.ready_all();
  h.pass(seconds{12});
  BOOST_TEST_REQUIRE(h.checks.size() == 1U, "half of them at a time");
  const auto checked = h.checks.front();
  for (int i = 0; i < 3; ++i) h.share();
  BOOST_TEST_REQUIRE(h.quick.size() == 3U);
  for (const auto id : h.quick) BOOST_TEST(id != checked);
  const auto l = h.ask(acquire_kind::lease);
  BOOST_TEST(h.waiting(l));
  h.answer_checks(true);
  BOOST_TEST(h.granted(l));
  BOOST_TEST(h.outcome(l).connection == checked);
}

BOOST_AUTO_TEST_CASE(a_pool_of_one_waits_for_its_check_and_opens_another_when_that_fails) {
  auto p = small_policy(1, 1);
  p.validate_interval = seconds{10};
  pool_harness h{p};
  h.ready_all();
  h.pass(seconds{12});
  BOOST_TEST_REQUIRE(h.checks.size() == 1U);
  const auto t = h.share();
  BOOST_TEST(h.waiting(t));
  h.answer_checks(false);
  h.close_told();
  h.ready_all();
  BOOST_TEST((h.what(t) == outcome::dispatched));
}

BOOST_AUTO_TEST_CASE(two_kinds_that_want_the_only_socket_take_turns_of_some_length) {
  auto p = small_policy(1, 1);
  p.failover_timeout = duration::zero();
  pool_harness h{p};
  h.ready_all();
  const auto before = h.numbers;
  std::vector<waiter_id> asked;
  // Each of them comes for itself, a read and a bind in turn.
  for (int i = 0; i < 500; ++i) {
    asked.push_back(h.ask(i % 2 == 0 ? acquire_kind::shared : acquire_kind::bind, seconds{5}));
    for (int step = 0; step < 4; ++step) {
      for (auto k : {connection_kind::pooled, connection_kind::bind}) {
        for (const auto at : {phase::ready, phase::draining})
          for (const auto id : h.in(at, k))
            if (h.sockets.at(id).open() > 0) h.complete(id);
        for (const auto id : h.in(phase::connecting, k)) h.ready(id);
      }
      h.close_told();
      h.pass(milliseconds{1});
    }
  }
  h.pass(milliseconds{500});
  BOOST_TEST(h.numbers - before <= 30U, h.numbers - before << " connects in two seconds");
  BOOST_TEST(h.numbers - before >= 10U);
  int refused = 0;
  for (const auto t : asked) refused += h.what(t) == outcome::refused ? 1 : 0;
  BOOST_TEST(refused == 0);
}

BOOST_AUTO_TEST_CASE(a_bind_connection_that_answers_shows_that_readers_met_a_limit) {
  pool_harness h{small_policy(1, 50)};
  h.ready_all();
  const auto bind = h.ask(acquire_kind::bind);
  h.ready_all();
  h.complete(h.outcome(bind).connection);
  h.die(h.in(phase::ready).front());
  const auto reader = h.share();
  h.pass(milliseconds{200});
  // The place was taken by somebody else meanwhile.
  h.fail_all();
  BOOST_TEST(h.waiting(reader));
  h.answer_checks(true);
  BOOST_TEST(h.reports.empty());
  BOOST_TEST(h.waiting(reader));
  h.pass(milliseconds{200});
  h.close_told();
  h.ready_all();
  BOOST_TEST((h.what(reader) == outcome::dispatched));
}

BOOST_AUTO_TEST_CASE(readers_and_binds_take_turns_at_the_one_connection_that_a_server_takes) {
  pool_harness h{small_policy(3, 50)};
  std::size_t largest = 0;
  play(h, 1, 5, largest);
  std::vector<waiter_id> asked;
  for (int i = 0; i < 600; ++i) {
    if (i < 500) asked.push_back(i % 2 == 0 ? h.share() : h.ask(acquire_kind::bind));
    for (auto k : {connection_kind::pooled, connection_kind::bind}) {
      for (const auto at : {phase::ready, phase::draining})
        for (const auto id : h.in(at, k))
          if (h.sockets.at(id).open() > 0) h.complete(id, h.sockets.at(id).open());
      h.answer_checks(true);
      h.close_told();
      for (const auto id : h.in(phase::connecting, k)) h.sockets.size() > h.connecting() ? h.fail(id) : h.ready(id);
    }
    h.pass(milliseconds{20});
  }
  for (const auto t : asked) BOOST_TEST((t == 0 || h.what(t) == outcome::dispatched));
  BOOST_TEST(h.reports.empty());
}

BOOST_AUTO_TEST_CASE(who_waits_gets_the_socket_that_a_probe_keeps) {
  pool_harness h{small_policy(2, 3)};
  h.ready_all();
  BOOST_TEST_REQUIRE(h.pool.take_probe_slot(h.now));
  h.lease();
  h.lease();
  const auto third = h.ask(acquire_kind::lease);
  BOOST_TEST(h.slot_asked == 1);
  h.pass(milliseconds{50});
  BOOST_TEST(h.slot_asked == 1, "not more often than it can be answered");
  h.pool.give_probe_slot(h.now);
  h.take();
  h.ready_all();
  BOOST_TEST(h.granted(third));
}

BOOST_AUTO_TEST_CASE(a_probe_does_not_keep_the_only_connection_that_a_server_takes) {
  pool_harness h{small_policy(1, 5)};
  BOOST_TEST_REQUIRE(h.pool.take_probe_slot(h.now));
  h.fail_all();
  BOOST_TEST(h.slot_asked == 1);
}

BOOST_AUTO_TEST_CASE(beyond_a_known_limit_one_connect_is_tried_and_no_probe) {
  pool_harness h{small_policy(3, 50)};
  std::size_t largest = 0;
  play(h, 2, 60, largest);
  BOOST_TEST(!h.pool.take_probe_slot(h.now));
  std::array<waiter_id, 3> leases{};
  for (auto& t : leases) t = h.ask(acquire_kind::lease);
  for (int i = 0; i < 1200; ++i) {
    BOOST_TEST(h.connecting() <= 1U);
    const bool waits = std::any_of(leases.begin(), leases.end(), [&](waiter_id t) { return h.waiting(t); });
    if (waits) BOOST_TEST_REQUIRE(!h.pool.take_probe_slot(h.now));
    h.fail_all();
    h.answer_checks(true);
    h.pass(milliseconds{100});
  }
}

BOOST_AUTO_TEST_CASE(no_more_room_is_made_where_a_server_takes_nothing_new_at_all) {
  pool_harness h{small_policy(4, 50)};
  h.ready_all();
  std::vector<waiter_id> binds;
  for (int i = 0; i < 100; ++i) {
    binds.push_back(h.ask(acquire_kind::bind));
    h.fail_all();
    h.answer_checks(true);
    h.close_told();
    h.pass(milliseconds{100});
  }
  BOOST_TEST(h.in(phase::ready).size() >= 1U, "readers are served on");
  BOOST_TEST(h.reports.empty());
  int told = 0;
  for (const auto t : binds) told += h.waiting(t) ? 0 : 1;
  BOOST_TEST(told > 0, "a bind cannot be had");
}

/// A server that takes its time gives the only connection to the first that asks.
BOOST_AUTO_TEST_CASE(a_connect_refused_beside_one_under_way_says_nothing_yet) {
  pool_harness h{small_policy(2, 4)};
  const auto reader = h.share();
  h.pass(milliseconds{900});
  const auto under_way = h.in(phase::connecting);
  BOOST_TEST_REQUIRE(under_way.size() >= 2U);
  h.fail(under_way.back());
  BOOST_TEST(h.reports.empty());
  BOOST_TEST(h.waiting(reader));
  h.ready(under_way.front());
  BOOST_TEST((h.what(reader) == outcome::dispatched));
  BOOST_TEST(h.reports.empty());
}

/// To run out of time is not to be refused: nothing of ours was in its way.
BOOST_AUTO_TEST_CASE(a_connect_that_ran_out_of_time_beside_one_under_way_is_the_servers) {
  for (const auto code : {errc::connection_failed, errc::connection_timeout}) {
    auto policy = small_policy(2, 4);
    policy.preload = true;
    pool_harness h{policy};
    BOOST_TEST_REQUIRE(h.connecting() == 2U);
    h.fail(h.in(phase::connecting).back(), connect_failure(code));
    BOOST_TEST(h.reports.size() == (code == errc::connection_timeout ? 1U : 0U));
  }
}

BOOST_AUTO_TEST_CASE(a_connect_refused_beside_one_that_should_have_connected_is_in_no_doubt) {
  for (const bool in_time : {true, false}) {
    auto policy = small_policy(2, 4);
    policy.preload = true;
    policy.connect_timeout = seconds{in_time ? 20 : 2};
    pool_harness h{policy};
    BOOST_TEST_REQUIRE(h.connecting() == 2U);
    h.pass(seconds{3});
    h.fail(h.in(phase::connecting).back());
    BOOST_TEST(h.reports.empty() == in_time);
  }
}

BOOST_AUTO_TEST_CASE(when_all_that_were_under_way_are_refused_the_server_is_down) {
  pool_harness h{small_policy(2, 4)};
  h.share();
  h.pass(milliseconds{900});
  for (const auto id : h.in(phase::connecting)) {
    BOOST_TEST(h.reports.empty());
    h.fail(id);
  }
  BOOST_TEST(h.reports.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_connect_refused_beside_a_probe_is_tried_again_at_its_end) {
  pool_harness h{small_policy(1, 4)};
  const auto reader = h.share();
  BOOST_TEST_REQUIRE(h.pool.take_probe_slot(h.now));
  for (const auto id : h.in(phase::connecting)) h.fail(id);
  BOOST_TEST(h.reports.empty());
  BOOST_TEST(h.waiting(reader));
  h.pool.give_probe_slot(h.now);
  h.take();
  BOOST_TEST_REQUIRE(!h.in(phase::connecting).empty());
  for (const auto id : h.in(phase::connecting)) h.fail(id);
  BOOST_TEST(h.reports.size() == 1U, "nothing of ours was in its way this time");
}

/// How long that is waited for is what a connect may take, as configured.
BOOST_AUTO_TEST_CASE(a_connect_refused_beside_a_probe_is_no_longer_in_doubt_when_that_should_have_connected) {
  for (const bool in_time : {true, false}) {
    auto policy = small_policy(1, 4);
    policy.connect_timeout = seconds{in_time ? 20 : 2};
    pool_harness h{policy};
    h.take();
    for (const auto id : h.in(phase::connecting)) h.ready(id);
    BOOST_TEST_REQUIRE(h.pool.take_probe_slot(h.now));
    h.pass(seconds{in_time ? 15 : 3});
    for (const auto id : h.in(phase::ready)) h.die(id);
    h.take();
    for (const auto id : h.in(phase::connecting)) h.fail(id);
    BOOST_TEST(h.reports.empty() == in_time);
    BOOST_TEST(h.slot_asked == 1, "the server may take no other one because it has the probe's");
  }
}
