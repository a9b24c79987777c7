// Waiters: their order, their deadlines, and how they leave.
#include "pool/pool_harness.hpp"
#include "understudy/actors/metrics/registry.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using phase = pool_harness::phase;
using outcome = waiter_outcome::kind;

namespace {

pool_policy one_connection(std::uint32_t max_in_flight = 1) {
  auto p = small_policy(1, 1);
  p.max_in_flight = max_in_flight;
  return p;
}

/// One of several servers: who waits here for too long is sent to another.
pool_policy beside_others(std::uint32_t max_bind) {
  auto p = small_policy(1, 5);
  p.max_bind = max_bind;
  p.failover_timeout = seconds{5};
  p.suspect_after = seconds{1};
  return p;
}

/// A bind connection, which has answered a bind.
void have_a_bind_answered(pool_harness& h) {
  h.ready_all();
  const auto bind = h.ask(acquire_kind::bind);
  h.ready_all();
  h.complete(h.outcome(bind).connection);
}

}  // namespace

BOOST_AUTO_TEST_CASE(waiters_of_both_kinds_are_served_in_order) {
  pool_harness h{one_connection()};
  h.ready_all();
  const auto only = h.in(phase::ready).front();
  h.share();
  const auto a = h.share(), b = h.ask(acquire_kind::lease), c = h.share(), d = h.ask(acquire_kind::lease),
             e = h.share();
  h.complete(only);
  BOOST_TEST((h.what(a) == outcome::dispatched));
  BOOST_TEST(h.waiting(b));
  h.complete(only);
  BOOST_TEST(h.granted(b));
  BOOST_TEST(h.waiting(c));
  BOOST_TEST(h.release(h.outcome(b).lease));
  h.reset_done();
  BOOST_TEST((h.what(c) == outcome::dispatched));
  h.complete(only);
  BOOST_TEST(h.granted(d));
  h.release(h.outcome(d).lease);
  h.reset_done();
  BOOST_TEST((h.served == std::vector<waiter_id>{a, b, c, d, e}));
}

BOOST_AUTO_TEST_CASE(operators_see_how_long_the_first_of_the_waiters_waits) {
  pool_harness h{one_connection()};
  h.ready_all();
  const auto only = h.in(phase::ready).front();
  h.share();
  BOOST_TEST((h.pool.snapshot(h.now).longest_wait == duration::zero()));
  const auto first = h.share();
  h.pass(milliseconds{300});
  const auto second = h.share();
  h.pass(milliseconds{200});
  BOOST_TEST((h.pool.snapshot(h.now).longest_wait == milliseconds{500}));
  h.complete(only);
  BOOST_TEST((h.what(first) == outcome::dispatched));
  BOOST_TEST(h.waiting(second));
  BOOST_TEST((h.pool.snapshot(h.now).longest_wait == milliseconds{200}));
  h.complete(only);
  BOOST_TEST((h.pool.snapshot(h.now).longest_wait == duration::zero()));
}

BOOST_AUTO_TEST_CASE(beyond_max_waiters_the_queue_is_full_at_once) {
  auto p = one_connection();
  p.max_waiters = 3;
  pool_harness h{p};
  h.ready_all();
  h.share();
  for (int i = 0; i < 3; ++i) BOOST_TEST(h.waiting(h.share()));
  const auto t = h.share();
  BOOST_TEST((h.what(t) == outcome::refused));
  BOOST_TEST(h.code(t) == errc::queue_full);
  BOOST_TEST(h.outcome(t).why->pool->waiters == 3U);
  BOOST_TEST(h.code(h.ask(acquire_kind::bind)) == errc::queue_full);
  BOOST_TEST(h.pool.snapshot(h.now).refused == 2U);
}

BOOST_AUTO_TEST_CASE(where_nobody_may_wait_the_first_connection_is_opened_all_the_same) {
  auto p = small_policy(0, 2);
  p.max_waiters = 0;
  pool_harness h{p};
  // Both find room on the connection that is opened for the first one.
  const auto first = h.ask(acquire_kind::shared), second = h.ask(acquire_kind::shared);
  h.ready_all();
  for (const auto t : {first, second}) BOOST_TEST((h.what(t) == outcome::dispatched));
  const auto bind = h.ask(acquire_kind::bind);
  h.ready_all();
  BOOST_TEST((h.what(bind) == outcome::dispatched));
}

BOOST_AUTO_TEST_CASE(a_waiter_past_its_deadline_leaves_and_is_never_served_late) {
  pool_harness h{one_connection()};
  h.ready_all();
  const auto only = h.in(phase::ready).front();
  h.share();
  const auto t = h.share(seconds{3});
  const auto later = h.share(seconds{10});
  h.pass(milliseconds{2999});
  BOOST_TEST(h.waiting(t));
  h.pass(milliseconds{1});
  BOOST_TEST(h.code(t) == errc::pool_timeout);
  BOOST_TEST(h.pool.snapshot(h.now).timeouts == 1U);
  h.complete(only);
  BOOST_TEST(h.outcome(t).times == 1);
  BOOST_TEST((h.what(later) == outcome::dispatched));
}

BOOST_AUTO_TEST_CASE(a_connection_free_at_the_very_deadline_is_not_granted_any_more) {
  pool_harness h{one_connection()};
  h.ready_all();
  const auto only = h.in(phase::ready).front();
  h.share();
  const auto t = h.share(seconds{3});
  h.now += seconds{3};  // the timer has not come yet
  h.complete(only);
  BOOST_TEST(h.code(t) == errc::pool_timeout);
  BOOST_TEST(h.sockets.at(only).open() == 0U);
}

BOOST_AUTO_TEST_CASE(pool_timeout_bounds_the_wait_below_the_deadline) {
  auto p = one_connection();
  p.wait_timeout = seconds{5};
  pool_harness h{p};
  h.ready_all();
  h.share();
  const auto t = h.share(seconds{30});
  h.pass(seconds{5});
  BOOST_TEST(h.code(t) == errc::pool_timeout);
  const auto text = describe(*h.outcome(t).why);
  BOOST_TEST(text.find("pool_timeout: no connection to ldap1:389 became free within 5s") == 0U, text);
  BOOST_TEST(text.find("raise pool.max_connections (1)") != std::string::npos, text);
  BOOST_TEST(text.find("pool size 1, idle 0, in use 1, in flight 1, waiters 1") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(who_waited_for_a_first_connection_is_told_that_none_was_ready) {
  auto p = one_connection();
  p.suspect_after = seconds{1};
  pool_harness h{p};
  const auto t = h.share(seconds{30});
  h.pass(seconds{1});
  BOOST_TEST(h.code(t) == errc::pool_timeout);
  const auto text = describe(*h.outcome(t).why);
  BOOST_TEST(text.find("pool_timeout: no connection to ldap1:389 was ready within 1s: 1 are being opened") == 0U, text);
}

BOOST_AUTO_TEST_CASE(with_other_servers_a_waiter_is_sent_there_after_the_failover_timeout) {
  auto p = one_connection();
  p.failover_timeout = seconds{5};
  pool_harness h{p};
  h.ready_all();
  h.share();
  const auto t = h.share(seconds{30}), brief = h.share(seconds{4});
  h.pass(seconds{4});
  BOOST_TEST(h.code(brief) == errc::pool_timeout);
  BOOST_TEST((h.what(brief) == outcome::refused));
  h.pass(seconds{1});
  BOOST_TEST((h.what(t) == outcome::redispatch));
  BOOST_TEST(!h.outcome(t).counted);
}

BOOST_AUTO_TEST_CASE(with_other_servers_nobody_waits_behind_binds_that_stay_unanswered) {
  pool_harness h{beside_others(1)};
  have_a_bind_answered(h);
  const auto first = h.ask(acquire_kind::bind);
  const auto second = h.ask(acquire_kind::bind);
  h.pass(milliseconds{1010});
  h.sockets.at(h.outcome(first).connection).silent->store(true);
  BOOST_TEST(h.waiting(second));
  h.pass(milliseconds{290});
  BOOST_TEST((h.what(second) == outcome::redispatch));
  BOOST_TEST(h.readiness.empty(), "readers are served there");
}

BOOST_AUTO_TEST_CASE(successive_short_waits_for_a_hung_server_are_one_silence) {
  pool_harness h{beside_others(1)};
  const auto first = h.share(milliseconds{400});
  h.pass(milliseconds{600});
  BOOST_TEST(h.code(first) == errc::pool_timeout);
  BOOST_TEST(h.readiness.empty());
  const auto second = h.share(milliseconds{700}), bind = h.ask(acquire_kind::bind, milliseconds{700});
  h.pass(milliseconds{390});
  BOOST_TEST(h.waiting(second));
  h.pass(milliseconds{10});
  for (const auto t : {second, bind}) {
    BOOST_TEST((h.what(t) == outcome::redispatch), "there is time left for another server");
    BOOST_TEST(!h.outcome(t).counted);
  }
  BOOST_TEST_REQUIRE(h.readiness.size() == 1U);
  BOOST_TEST(!h.readiness.front());
  // Whoever is sent back waits, and does not go to and fro without end.
  const auto back = h.share(milliseconds{300});
  BOOST_TEST(h.waiting(back));
  h.ready_all();
  BOOST_TEST((h.what(back) == outcome::dispatched));
  BOOST_TEST((h.readiness == std::vector{false, true}));
}

BOOST_AUTO_TEST_CASE(silence_is_said_again_to_a_breaker_that_may_have_forgotten_it) {
  pool_harness h{beside_others(1)};
  for (int i = 0; i < 20; ++i) {
    h.share(milliseconds{300});
    h.pass(milliseconds{500});
  }
  BOOST_TEST(h.readiness.size() >= 5U);
  BOOST_TEST(h.readiness.size() <= 10U, "once in `suspect_after` at the most");
}

BOOST_AUTO_TEST_CASE(a_good_probe_has_the_silence_found_out_anew) {
  pool_harness h{beside_others(1)};
  h.share(milliseconds{900});
  h.pass(seconds{1});
  h.share(milliseconds{900});
  h.pass(milliseconds{100});
  BOOST_TEST(h.readiness.size() == 1U);
  h.pool.on_breaker(breaker_state::closed, h.now);
  h.take();
  const auto next = h.share(milliseconds{900});
  h.pass(milliseconds{800});
  BOOST_TEST(h.waiting(next));
  h.pass(milliseconds{100});
  BOOST_TEST(h.code(next) == errc::pool_timeout);
  const auto later = h.share(milliseconds{900});
  h.pass(milliseconds{100});
  BOOST_TEST((h.what(later) == outcome::redispatch));
  BOOST_TEST(h.readiness.size() == 2U);
}

BOOST_AUTO_TEST_CASE(our_own_waiting_is_no_silence_of_the_server) {
  pool_harness h{beside_others(1)};
  h.share(milliseconds{300});
  for (auto& [id, s] : h.sockets) s.awaited_since->store(time_point::max());
  for (int i = 0; i < 10; ++i) {
    h.pass(milliseconds{400});
    const auto t = h.share(milliseconds{300});
    BOOST_TEST(h.waiting(t));
  }
  BOOST_TEST(h.readiness.empty());
  // From when it is asked on, it has the whole of `suspect_after`.
  for (auto& [id, s] : h.sockets) s.awaited_since->store(h.now);
  const auto t = h.share(seconds{3});
  h.pass(milliseconds{700});
  BOOST_TEST(h.waiting(t));
  BOOST_TEST(h.readiness.empty());
  h.pass(milliseconds{300});
  BOOST_TEST((h.what(t) == outcome::redispatch));
}

BOOST_AUTO_TEST_CASE(a_wait_for_a_password_or_a_name_is_no_failure_of_the_directory) {
  pool_harness h{small_policy(1, 1)};
  for (const bool ours : {true, false}) {
    const auto t = h.share(milliseconds{300});
    for (auto& [id, s] : h.sockets) s.held_up->store(ours);
    h.pass(milliseconds{300});
    BOOST_TEST((h.code(t) == errc::pool_timeout));
    const auto& why = *h.outcome(t).why;
    BOOST_TEST(failed_by_directory(why) == !ours);
    BOOST_TEST((why.message.find("have asked nothing of the server") != std::string::npos) == ours, why.message);
  }
}

BOOST_AUTO_TEST_CASE(who_has_no_other_server_waits_as_long_as_it_can) {
  auto p = beside_others(1);
  p.failover_timeout = p.suspect_after = duration::zero();
  pool_harness h{p};
  for (int i = 0; i < 5; ++i) {
    const auto t = h.share(milliseconds{900});
    h.pass(milliseconds{890});
    BOOST_TEST(h.waiting(t));
    h.pass(milliseconds{10});
    BOOST_TEST((h.what(t) == outcome::refused));
  }
  BOOST_TEST(h.readiness.empty());
}

BOOST_AUTO_TEST_CASE(the_first_connection_to_become_ready_is_told_of_and_no_other_one) {
  pool_harness h{small_policy(2, 5)};
  h.ready_all();
  h.share();
  h.ready_all();
  BOOST_TEST_REQUIRE(h.in(phase::ready).size() == 2U);
  BOOST_TEST(h.first_answers == 1);
  BOOST_TEST(h.readiness.empty());
  for (const auto id : h.in(phase::ready)) h.die(id);
  h.pass(seconds{5});
  h.ready_all();
  BOOST_TEST(h.first_answers + static_cast<int>(h.readiness.size()) == 2);
}

BOOST_AUTO_TEST_CASE(with_other_servers_a_waiter_stays_while_those_before_it_are_answered) {
  pool_harness h{beside_others(1)};
  have_a_bind_answered(h);
  h.ask(acquire_kind::bind);
  const auto third = h.ask(acquire_kind::bind);
  h.pass(milliseconds{4900});
  BOOST_TEST(h.waiting(third));
  h.pass(milliseconds{200});
  BOOST_TEST((h.what(third) == outcome::redispatch));
}

BOOST_AUTO_TEST_CASE(a_bind_connection_shows_no_life_before_it_has_answered_a_bind) {
  pool_harness h{beside_others(2)};
  h.ready_all();
  for (int i = 0; i < 2; ++i) h.ask(acquire_kind::bind);
  const auto third = h.ask(acquire_kind::bind);
  h.pass(milliseconds{800});
  h.ready_all();
  BOOST_TEST(h.in(phase::ready, connection_kind::bind).size() == 2U);
  BOOST_TEST(h.waiting(third));
  h.pass(milliseconds{200});
  BOOST_TEST((h.what(third) == outcome::redispatch));
}

BOOST_AUTO_TEST_CASE(a_cancelled_waiter_hears_so_and_is_skipped) {
  pool_harness h{one_connection()};
  h.ready_all();
  const auto only = h.in(phase::ready).front();
  h.share();
  const auto told = std::make_shared<cancel_token>(), flagged = std::make_shared<cancel_token>();
  const auto a = h.ask(acquire_kind::shared, seconds{9}, told), b = h.ask(acquire_kind::shared, seconds{9}, flagged),
             c = h.share();
  told->cancel();
  BOOST_TEST(h.pool.cancel(told.get(), h.now));
  h.take();
  BOOST_TEST(h.code(a) == errc::cancelled);
  flagged->cancel();
  h.complete(only);
  BOOST_TEST(h.code(b) == errc::cancelled);
  BOOST_TEST((h.what(c) == outcome::dispatched));
  BOOST_TEST(!h.pool.cancel(told.get(), h.now));
}

BOOST_AUTO_TEST_CASE(when_the_breaker_opens_waiters_are_sent_away) {
  pool_harness h{one_connection()};
  h.ready_all();
  const auto only = h.in(phase::ready).front();
  h.share();
  const auto a = h.share(), b = h.ask(acquire_kind::lease),
             spent = h.ask(acquire_kind::shared, seconds{9}, nullptr, true, 3), bind = h.ask(acquire_kind::bind);
  h.pool.on_breaker(breaker_state::open, h.now);
  h.take();
  // Also one that has no attempt left: another server may take it, and this one it is not given again.
  for (const auto t : {a, b, bind, spent}) {
    BOOST_TEST((h.what(t) == outcome::redispatch));
    BOOST_TEST(!h.outcome(t).counted);
    BOOST_TEST(h.code(t) == errc::breaker_open);
  }
  h.complete(only);
  BOOST_TEST(h.in(phase::ready).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_waiter_whose_connection_dies_first_gets_the_next_one) {
  pool_harness h{one_connection()};
  h.ready_all();
  const auto only = h.in(phase::ready).front();
  h.share();
  const auto t = h.share(seconds{3});
  h.die(only);
  BOOST_TEST(h.waiting(t));
  BOOST_TEST(h.connecting() == 1U);
  h.pass(milliseconds{300});
  h.ready_all();
  BOOST_TEST((h.what(t) == outcome::dispatched));
}

BOOST_AUTO_TEST_CASE(completion_between_look_and_question_is_not_missed) {
  pool_harness h{one_connection()};
  h.ready_all();
  const auto only = h.in(phase::ready).front();
  h.share();
  // It completes without a word: nobody had asked for one yet.
  h.sockets.at(only).completed->fetch_add(1);
  const auto t = h.ask(acquire_kind::shared);
  BOOST_TEST((h.what(t) == outcome::dispatched));
  const auto next = h.ask(acquire_kind::shared);
  BOOST_TEST(h.waiting(next));
  BOOST_TEST(h.sockets.at(only).wanted->load(), "the pool asked to be told");
  h.complete(only);
  BOOST_TEST((h.what(next) == outcome::dispatched));
}

BOOST_AUTO_TEST_CASE(who_waits_for_the_only_connection_while_it_is_checked_is_no_waiter_too_many) {
  auto p = small_policy(1, 1);
  p.max_waiters = 0;
  p.max_in_flight = 1;
  p.validate_interval = seconds{2};
  pool_harness h{p};
  h.ready_all();
  for (int i = 0; i < 50 && h.checks.empty(); ++i) h.pass(milliseconds{100});
  BOOST_TEST_REQUIRE(h.checks.size() == 1U);
  const auto t = h.share(), second = h.share();
  BOOST_TEST(h.waiting(t));
  BOOST_TEST((h.what(second) == outcome::refused), "there is room for one");
  h.answer_checks(true);
  BOOST_TEST((h.what(t) == outcome::dispatched));
}

BOOST_AUTO_TEST_CASE(who_waits_for_the_only_connection_while_it_is_replaced_is_no_waiter_too_many) {
  auto p = small_policy(1, 1);
  p.max_waiters = 0;
  p.max_in_flight = 1;
  for (const bool said_goodbye : {false, true}) {
    pool_harness h{p};
    h.ready_all();
    const auto old = h.in(phase::ready).front();
    if (said_goodbye)
      h.sockets.at(old).at = phase::draining, h.pool.on_draining(old, nullptr, h.now);
    else
      h.pool.reconfigure(p, true, h.now);
    h.take();
    h.pass(seconds{6});
    BOOST_TEST_REQUIRE((h.in(phase::draining) == std::vector<connection_id>{old}), "its socket is not free yet");
    const auto t = h.share(), second = h.share();
    BOOST_TEST(h.waiting(t));
    BOOST_TEST(h.code(second) == errc::queue_full, "there is room for one");
    h.die(old, nullptr);
    h.ready_all();
    BOOST_TEST((h.what(t) == outcome::dispatched));
  }
}

BOOST_AUTO_TEST_CASE(who_waits_for_the_socket_of_a_probe_is_no_waiter_too_many) {
  auto p = small_policy(0, 1);
  p.max_waiters = 0;
  for (const auto kind : {acquire_kind::shared, acquire_kind::bind}) {
    pool_harness h{p};
    BOOST_TEST_REQUIRE(h.pool.take_probe_slot(h.now));
    const auto t = h.ask(kind);
    BOOST_TEST(h.waiting(t));
    BOOST_TEST(h.slot_asked == 1);
    h.pool.give_probe_slot(h.now);
    h.take();
    h.ready_all();
    BOOST_TEST((h.what(t) == outcome::dispatched));
  }
}
