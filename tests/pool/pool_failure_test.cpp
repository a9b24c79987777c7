// Servers that refuse: verdicts on rounds, backoff, credentials, and getting well again.
#include "pool/pool_harness.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using phase = pool_harness::phase;
using outcome = waiter_outcome::kind;

BOOST_AUTO_TEST_CASE(a_failed_round_is_one_report_and_sends_waiters_away) {
  auto p = small_policy(4, 10);
  p.preload = true;
  pool_harness h{p};
  BOOST_TEST(h.connecting() == 4U);
  const auto a = h.share(), b = h.ask(acquire_kind::lease),
             spent = h.ask(acquire_kind::shared, seconds{9}, nullptr, true, 3);
  h.fail_all();
  BOOST_TEST((h.reports == std::vector<failure_class>{failure_class::transport}));
  for (const auto t : {a, b}) {
    BOOST_TEST((h.what(t) == outcome::redispatch));
    BOOST_TEST(h.outcome(t).counted);
    BOOST_TEST(h.code(t) == errc::connection_failed);
    BOOST_TEST((h.outcome(t).why->pool.has_value()));
  }
  BOOST_TEST((h.what(spent) == outcome::refused));
  BOOST_TEST(h.pool.snapshot(h.now).connect_failures == 4U);
}

BOOST_AUTO_TEST_CASE(a_failed_round_says_whether_a_connection_is_left) {
  for (const bool one_is_open : {false, true}) {
    pool_harness h{small_policy(one_is_open ? 2 : 1, 5)};
    std::vector<bool> none_left;
    h.before_action = [&](const pool_action::any& a) {
      if (const auto* told = std::get_if<pool_action::report>(&a)) none_left.push_back(told->none_left);
    };
    if (one_is_open) {
      h.ready_all();
      for (int i = 0; i < 3; ++i) h.ask(acquire_kind::lease);
    }
    h.fail_all();
    h.answer_checks(false);
    h.answer_checks(false);
    BOOST_TEST((none_left == std::vector<bool>{!one_is_open}));
  }
}

BOOST_AUTO_TEST_CASE(a_failed_growth_keeps_waiters_where_connections_work) {
  auto p = small_policy(1, 5);
  p.max_in_flight = 1;
  pool_harness h{p};
  h.ready_all();
  const auto only = h.in(phase::ready).front();
  h.share();
  const auto t = h.share();
  h.fail_all();
  BOOST_TEST(h.waiting(t));
  // Whether that speaks against the server is decided by what is open.
  BOOST_TEST(h.reports.empty());
  BOOST_TEST((h.checks == std::vector<connection_id>{only}));
  h.answer_checks(true);
  BOOST_TEST(h.reports.empty());
  BOOST_TEST(h.pool.snapshot(h.now).growth_limit == 1U);
  h.complete(only);
  BOOST_TEST((h.what(t) == outcome::dispatched));
}

BOOST_AUTO_TEST_CASE(a_sole_server_is_tried_again_by_those_who_come_back) {
  auto policy = small_policy(1, 5);
  policy.failover_timeout = duration::zero();
  pool_harness h{policy};
  auto t = h.share();
  for (std::uint16_t attempts = 1; attempts <= 3; ++attempts) {
    for (int i = 0; i < 100 && h.connecting() == 0; ++i) h.pass(milliseconds{100});
    h.fail_all();
    BOOST_TEST((h.what(t) == outcome::redispatch));
    t = h.ask(acquire_kind::shared, seconds{30}, nullptr, true, attempts);
    BOOST_TEST(h.waiting(t));
  }
  for (int i = 0; i < 100 && h.connecting() == 0; ++i) h.pass(milliseconds{100});
  h.ready_all();
  BOOST_TEST((h.what(t) == outcome::dispatched));
}

BOOST_AUTO_TEST_CASE(a_dead_server_for_an_hour_costs_few_connects_and_is_found_again) {
  pool_harness h{small_policy(5, 50)};
  std::size_t connects = 0;
  for (int s = 0; s < 3600; ++s) {
    h.pass(seconds{1});
    connects += h.connecting();
    h.fail_all();
  }
  BOOST_TEST(connects > 100U, "repair never stops");
  BOOST_TEST(connects < 600U, "and does not storm");
  h.pass(connect_backoff::cap);
  h.ready_all();
  h.pass(seconds{1});
  h.ready_all();
  BOOST_TEST(h.in(phase::ready).size() == 5U);
}

BOOST_AUTO_TEST_CASE(an_open_breaker_leaves_a_bounded_trickle_of_connects) {
  pool_harness h{small_policy(5, 50)};
  h.fail_all();
  h.pool.on_breaker(breaker_state::open, h.now);
  h.take();
  std::size_t connects = 0;
  for (int s = 0; s < 600; ++s) {
    h.pass(seconds{1});
    BOOST_TEST(h.connecting() <= 1U);
    connects += h.connecting();
    h.fail_all();
  }
  BOOST_TEST(connects >= 10U);
  BOOST_TEST(connects <= 21U);
  h.pool.on_breaker(breaker_state::half_open, h.now);
  h.take();
  h.pass(milliseconds{100});
  BOOST_TEST(h.connecting() == 1U, "well again: no backoff is sat out");
}

BOOST_AUTO_TEST_CASE(refused_credentials_fail_waiters_and_never_count_against_the_server) {
  auto policy = small_policy(1, 5);
  policy.failover_timeout = duration::zero();  // no other server
  pool_harness h{policy};
  const auto t = h.share();
  h.fail_all(connect_failure(errc::service_authentication_failed, stage::bind, 49));
  BOOST_TEST((h.what(t) == outcome::refused));
  BOOST_TEST(h.code(t) == errc::service_authentication_failed);
  BOOST_TEST(h.reports.empty());
  const auto soon = h.share();
  BOOST_TEST(h.code(soon) == errc::service_authentication_failed);
  h.pass(seconds{10});
  h.ready_all();
  BOOST_TEST(h.in(phase::ready).size() == 1U);
  BOOST_TEST(h.share() == 0U);
}

BOOST_AUTO_TEST_CASE(whoever_meets_refused_credentials_may_find_a_bound_connection_elsewhere) {
  auto policy = small_policy(1, 5);
  policy.failover_timeout = seconds{5};
  policy.max_attempts = 3;
  pool_harness h{policy};
  const auto waiting = h.share(), last = h.ask(acquire_kind::shared, seconds{30}, nullptr, true, 3);
  h.fail_all(connect_failure(errc::service_authentication_failed, stage::bind, 49));
  const auto late = h.share(), lease = h.ask(acquire_kind::lease),
             late_last = h.ask(acquire_kind::shared, seconds{30}, nullptr, true, 3);
  for (const auto each : {waiting, late, lease}) {
    BOOST_TEST((h.what(each) == outcome::redispatch));
    BOOST_TEST(h.outcome(each).why->code == errc::service_authentication_failed);
  }
  for (const auto each : {last, late_last}) BOOST_TEST(h.code(each) == errc::service_authentication_failed);
  BOOST_TEST(h.reports.empty());
}

BOOST_AUTO_TEST_CASE(refused_credentials_are_asked_for_again_by_the_next_caller_but_rarely_by_nobody) {
  pool_harness h{small_policy(1, 5)};
  int connects = 0;
  for (int second = 0; second < 600; ++second) {
    connects += static_cast<int>(h.connecting());
    h.fail_all(connect_failure(errc::service_authentication_failed, stage::bind, 49));
    h.pass(seconds{1});
  }
  BOOST_TEST(connects >= 50);
  BOOST_TEST(connects <= 150, connects << " in ten minutes without callers");
  h.fail_all(connect_failure(errc::service_authentication_failed, stage::bind, 49));
  h.pass(milliseconds{1001});
  const auto t = h.share();
  h.ready_all();
  BOOST_TEST((h.what(t) == outcome::dispatched), "a second after the refusal a caller finds out by trying");
}

BOOST_AUTO_TEST_CASE(a_refused_service_bind_by_policy_counts_and_is_tried_elsewhere) {
  pool_harness h{small_policy(1, 5)};
  const auto t = h.share();
  h.fail_all(connect_failure(errc::service_authentication_failed, stage::bind, 53));
  BOOST_TEST((h.what(t) == outcome::redispatch));
  BOOST_TEST((h.reports == std::vector<failure_class>{failure_class::policy}));
}

BOOST_AUTO_TEST_CASE(a_connect_that_was_told_to_close_is_no_failure) {
  pool_harness h{small_policy(1, 5)};
  h.fail_all(nullptr);
  BOOST_TEST(h.reports.empty());
  BOOST_TEST(h.pool.snapshot(h.now).connect_failures == 0U);
  h.pass(milliseconds{100});
  BOOST_TEST(h.connecting() == 1U);
}

BOOST_AUTO_TEST_CASE(when_all_connections_die_the_pool_refills_at_a_capped_rate) {
  auto p = small_policy(200, 200);
  p.preload = true;
  pool_harness h{p};
  h.ready_all();
  BOOST_TEST(h.in(phase::ready).size() == 200U);
  for (const auto id : h.in(phase::ready)) h.die(id);
  std::size_t most = 0;
  for (int i = 0; i < 2000 && h.in(phase::ready).size() < 200U; ++i) {
    h.pass(milliseconds{20});
    most = std::max(most, h.connecting());
    for (const auto id : h.in(phase::connecting)) h.ready(id);
  }
  BOOST_TEST(most <= 4U);
  BOOST_TEST(h.in(phase::ready).size() == 200U);
}

BOOST_AUTO_TEST_CASE(a_connection_that_never_says_anything_is_given_up) {
  auto p = small_policy(1, 1);
  p.connect_timeout = seconds{2};
  pool_harness h{p};
  const auto mute = h.in(phase::connecting).front();
  h.pass(seconds{20});
  BOOST_TEST(h.sockets.count(mute) == 0U);
  BOOST_TEST(h.reports.size() >= 1U);
  h.pass(seconds{2});
  BOOST_TEST(h.connecting() == 1U);
}

BOOST_AUTO_TEST_CASE(after_a_defect_connections_finish_leases_stay_and_counters_go_on) {
  pool_harness h{small_policy(3, 10)};
  h.ready_all();
  const auto l = h.lease();
  h.pool.claim(l);
  for (int i = 0; i < 4; ++i) h.share();
  std::vector<connection_id> known;
  for (const auto& [id, s] : h.sockets) known.push_back(id);
  const auto before = h.pool.snapshot(h.now);
  const pool_state old = std::move(h.pool);
  h.pool = pool_state{
      old.policy(), pool_dependencies{make_random(2), [&] { return ++h.numbers; }, [] { return wall_time{}; }}, h.now};
  h.pool.adopt(old, known, h.now);
  h.pool.start(h.now);
  h.take();
  BOOST_TEST(h.in(phase::draining).size() == 2U);
  BOOST_TEST(h.pool.snapshot(h.now).acquired == before.acquired);
  BOOST_TEST(h.pool.snapshot(h.now).dispatched == before.dispatched);
  BOOST_TEST(h.release(l));
  BOOST_TEST(h.in(phase::closing).size() == 1U);
  for (const auto id : known)
    if (h.sockets.count(id)) h.complete(id, h.sockets.at(id).open());
  h.close_told();
  h.pass(milliseconds{200});
  h.ready_all();
  BOOST_TEST(h.in(phase::ready).size() == 3U);
  BOOST_TEST(h.sockets.size() == 3U);
}

/// A firewall that cuts all connections at one moment is no server that ends them one after the other.
BOOST_AUTO_TEST_CASE(a_request_that_is_sent_after_a_loss_and_lost_is_another_one) {
  for (const bool together : {true, false}) {
    auto p = small_policy(4, 4);
    p.preload = true;
    p.max_in_flight = 1;
    pool_harness h{p};
    h.ready_all();
    const auto open = h.in(phase::ready);
    BOOST_TEST_REQUIRE(open.size() == 4u);
    if (together)
      for (int i = 0; i < 4; ++i) h.share();
    for (const auto id : open) {
      if (!together) h.share();
      const auto busy = std::find_if(open.begin(), open.end(), [&](connection_id c) {
        return h.sockets.count(c) != 0 && h.sockets.at(c).open() > 0;
      });
      BOOST_TEST_REQUIRE((busy != open.end()), id);
      h.die(*busy);
      h.pass(milliseconds{100});
    }
    // Of the first its connection tells.
    BOOST_TEST(h.losses.size() == (together ? 0u : 3u));
  }
}

namespace {

/// A server that takes every connect and ends the connection at once, or (`useful`) after one operation; how many
/// connects it sees in `span` while somebody waits.
std::size_t connects_to_closing_server(pool_harness& h, bool useful, duration span) {
  std::size_t connects = 0;
  for (const auto end = h.now + span; h.now < end; h.pass(milliseconds{10})) {
    h.share(seconds{30});
    for (auto k : {connection_kind::pooled, connection_kind::bind})
      for (const auto id : h.in(phase::connecting, k)) {
        ++connects;
        h.ready(id);
        if (useful && h.sockets.at(id).open() > 0) h.complete(id);
        if (h.sockets.count(id) != 0) h.die(id);
      }
  }
  return connects;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_server_that_ends_what_it_has_answered_is_connected_to_with_backoff) {
  auto policy = small_policy(2, 5);
  policy.failover_timeout = duration::zero();
  pool_harness h{policy};
  BOOST_TEST(connects_to_closing_server(h, false, seconds{60}) <= 40U, "of six thousand");
  BOOST_TEST(connects_to_closing_server(h, false, seconds{600}) >= 20U, "but never given up");
  h.pass(seconds{60});
  h.ready_all();
  for (const auto id : h.in(phase::ready)) h.complete(id, h.sockets.at(id).open());
  BOOST_TEST(h.in(phase::ready).size() >= 2U);
}

BOOST_AUTO_TEST_CASE(a_server_that_ends_what_has_been_of_use_is_connected_to_at_once) {
  auto policy = small_policy(1, 5);
  policy.failover_timeout = duration::zero();
  policy.max_in_flight = 1;
  pool_harness h{policy};
  BOOST_TEST(connects_to_closing_server(h, true, seconds{10}) >= 500U);
}

BOOST_AUTO_TEST_CASE(a_server_that_answers_and_then_breaks_the_protocol_is_connected_to_with_pauses) {
  for (const bool answers : {true, false}) {
    auto policy = small_policy(1, 1);
    policy.failover_timeout = duration::zero();
    policy.max_in_flight = 1;
    pool_harness h{policy};
    std::vector<duration> pauses;
    h.share();
    for (int i = 0; i < 8; ++i) {
      const auto id = h.in(phase::connecting).front();
      h.ready(id);
      BOOST_TEST_REQUIRE(h.sockets.at(id).open() == 1U);
      h.share();
      if (answers) h.complete(id);
      h.die(id, connect_failure(), true);
      const auto broken = h.now;
      h.share();
      while (h.connecting() == 0) h.pass(milliseconds{1});
      pauses.push_back(h.now - broken);
    }
    for (std::size_t i = 0; i < pauses.size(); ++i) {
      const auto least = std::min<duration>(connect_backoff::break_pause * (1 << i), policy.retry_base);
      BOOST_TEST((pauses[i] >= least), i << ": " << pauses[i].count());
      // Those that were not even of use pause for longer.
      if (answers) BOOST_TEST((pauses[i] <= least + least / 5), i << ": " << pauses[i].count());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_breach_of_the_protocol_keeps_connections_of_both_kinds_back) {
  pool_harness h{small_policy(1, 5)};
  h.ready_all();
  h.share();
  const auto id = h.in(phase::ready).front();
  h.complete(id);
  h.die(id, connect_failure(), true);
  h.share();
  h.ask(acquire_kind::bind);
  h.pass(connect_backoff::break_pause - milliseconds{1});
  BOOST_TEST(h.connecting() == 0U);
  h.pass(milliseconds{20});
  BOOST_TEST(h.connecting() == 2U);
}

BOOST_AUTO_TEST_CASE(a_breach_of_the_protocol_after_a_while_is_no_reason_for_a_pause) {
  pool_harness h{small_policy(1, 5)};
  for (const bool soon : {true, false, true}) {
    h.ready_all();
    h.share();
    h.complete(h.in(phase::ready).front());
    h.pass(soon ? seconds{4} : seconds{6});
    h.die(h.in(phase::ready).front(), connect_failure(), true);
    const auto broken = h.now;
    h.share();
    BOOST_TEST((h.connecting() == 0U) == soon);
    while (h.connecting() == 0) h.pass(milliseconds{1});
    // The one that lived for a while shows that the next is worth opening: the pause does not go on growing.
    BOOST_TEST((h.now - broken <= connect_backoff::break_pause + connect_backoff::break_pause / 5));
  }
}

/// What breaks beside it is a part of the same event, and keeps connects back as well.
BOOST_AUTO_TEST_CASE(connections_that_break_the_protocol_together_pause_once) {
  auto policy = small_policy(4, 4);
  policy.preload = true;
  pool_harness h{policy};
  h.ready_all();
  BOOST_TEST_REQUIRE(h.in(phase::ready).size() == 4U);
  for (const auto id : h.in(phase::ready)) h.die(id, connect_failure(), true);
  const auto broken = h.now;
  h.share();
  while (h.connecting() == 0) h.pass(milliseconds{1});
  BOOST_TEST((h.now - broken >= connect_backoff::break_pause));
  BOOST_TEST((h.now - broken <= 2 * connect_backoff::break_pause));
}

BOOST_AUTO_TEST_CASE(a_server_that_ends_whatever_is_leased_is_connected_to_with_backoff) {
  auto policy = small_policy(1, 5);
  policy.failover_timeout = duration::zero();
  pool_harness h{policy};
  std::size_t connects = 0;
  for (const auto end = h.now + seconds{60}; h.now < end; h.pass(milliseconds{10})) {
    h.ask(acquire_kind::lease);
    for (const auto id : h.in(phase::connecting)) {
      ++connects;
      h.ready(id);
      if (h.sockets.count(id) != 0 && h.sockets.at(id).at == phase::leased) h.die(id);
    }
  }
  BOOST_TEST(connects <= 40U, connects << " connects in a minute");
  BOOST_TEST(connects >= 5U, "but never given up");
}

BOOST_AUTO_TEST_CASE(connections_that_are_reset_together_are_replaced_at_once) {
  pool_harness h{small_policy(5, 5)};
  h.ready_all();
  for (const auto id : h.in(phase::ready)) h.die(id);
  h.pass(milliseconds{200});
  BOOST_TEST(h.connecting() > 0U);
}

BOOST_AUTO_TEST_CASE(that_nothing_could_be_had_is_taken_back_with_the_first_connection) {
  pool_harness h{small_policy(1, 5)};
  h.fail_all();
  BOOST_TEST_REQUIRE(h.reports.size() == 1U);
  while (h.connecting() == 0) h.pass(milliseconds{100});
  h.ready(h.in(phase::connecting).front());
  BOOST_TEST((h.readiness == std::vector{true}));
  BOOST_TEST(h.first_answers == 0);
}

BOOST_AUTO_TEST_CASE(without_reconnecting_the_last_loss_ends_a_servers_service_until_it_is_resumed) {
  for (const bool silent : {false, true}) {
    auto policy = small_policy(1, 2);
    policy.reconnect = false;
    pool_harness h{policy};
    h.ready_all();
    const auto only = h.in(phase::ready).front();
    h.sockets.at(only).silent->store(silent);
    if (silent) {
      h.pool.on_breaker(breaker_state::open, h.now);
      h.take();
      h.close_told();
    } else {
      h.die(only);
    }
    BOOST_TEST((h.reports == std::vector{failure_class::transport}), "nobody else tells the breaker");
    h.pool.on_breaker(breaker_state::closed, h.now);
    h.take();
    h.pass(seconds{60});
    BOOST_TEST(h.connecting() == 0U);
    const auto waiter = h.ask(acquire_kind::lease);
    BOOST_TEST(!h.waiting(waiter));
    BOOST_TEST(h.connecting() == 0U);
    h.pool.resume(h.now);
    h.take();
    BOOST_TEST(h.connecting() == 1U);
  }
}
