// Idle and old connections, validation, cleaning up.
#include "pool/pool_harness.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using phase = pool_harness::phase;

namespace {

/// Grows `h` to `size` connections by leasing them all, and returns them.
void grow(pool_harness& h, std::size_t size) {
  std::vector<waiter_id> all;
  for (std::size_t i = 0; i < size; ++i) all.push_back(h.ask(acquire_kind::lease));
  for (int i = 0; i < 50 && h.in(phase::leased).size() < size; ++i) {
    h.ready_all();
    for (const auto t : all)
      if (h.granted(t)) h.pool.claim(h.outcome(t).lease);
  }
  BOOST_TEST_REQUIRE(h.in(phase::leased).size() == size);
  for (const auto t : all) h.release(h.outcome(t).lease);
  h.reset_done();
}

}  // namespace

BOOST_AUTO_TEST_CASE(idle_connections_shrink_to_the_minimum) {
  auto p = small_policy(2, 10);
  p.max_idle_time = seconds{30};
  pool_harness h{p};
  h.ready_all();
  grow(h, 6);
  h.pass(seconds{29});
  BOOST_TEST(h.in(phase::ready).size() == 6U);
  h.pass(seconds{2});
  h.close_told();
  BOOST_TEST(h.in(phase::ready).size() == 2U);
  h.pass(seconds{100});
  BOOST_TEST(h.sockets.size() == 2U);
}

BOOST_AUTO_TEST_CASE(what_is_used_does_not_count_as_idle) {
  auto p = small_policy(0, 10);
  p.max_idle_time = seconds{30};
  pool_harness h{p};
  h.ask(acquire_kind::shared);
  h.ready_all();
  h.pass(seconds{100});
  const auto busy = h.in(phase::ready);
  BOOST_TEST_REQUIRE(busy.size() == 1U);
  h.complete(busy[0]);
  h.pass(seconds{29});
  BOOST_TEST(h.in(phase::ready).size() == 1U);
  h.pass(seconds{3});
  h.close_told();
  BOOST_TEST(h.sockets.empty());
}

BOOST_AUTO_TEST_CASE(cleanup_closes_idle_ones_above_the_minimum_and_says_how_many) {
  pool_harness h{small_policy(2, 10)};
  h.ready_all();
  grow(h, 6);
  BOOST_TEST(h.pool.cleanup(h.now) == 4U);
  h.take();
  h.close_told();
  BOOST_TEST(h.sockets.size() == 2U);
  BOOST_TEST(h.pool.cleanup(h.now) == 0U);
}

BOOST_AUTO_TEST_CASE(the_minimum_is_refilled_in_the_background) {
  pool_harness h{small_policy(3, 10)};
  h.ready_all();
  h.die(h.in(phase::ready).front());
  h.pass(milliseconds{200});
  h.ready_all();
  BOOST_TEST(h.in(phase::ready).size() == 3U);
}

BOOST_AUTO_TEST_CASE(old_connections_are_replaced_one_at_a_time_make_before_break) {
  auto p = small_policy(5, 10);
  p.max_lifetime = seconds{100};
  p.max_idle_time = seconds{100000};
  pool_harness h{p};
  h.ready_all();
  const auto first = h.in(phase::ready);
  std::size_t least = 5, most_draining = 0;
  for (int i = 0; i < 1200; ++i) {
    h.pass(milliseconds{100});
    least = std::min(least, h.in(phase::ready).size());
    most_draining = std::max(most_draining, h.in(phase::draining).size());
    for (const auto id : h.in(phase::connecting)) h.ready(id);
    h.close_told();
  }
  BOOST_TEST(least == 5U);
  BOOST_TEST(most_draining <= 1U);
  for (const auto id : first) BOOST_TEST(h.sockets.count(id) == 0U);
}

BOOST_AUTO_TEST_CASE(lifetimes_are_spread) {
  auto p = small_policy(20, 40);
  p.max_lifetime = seconds{100};
  p.max_idle_time = seconds{100000};
  p.preload = true;
  pool_harness h{p};
  h.ready_all();
  std::map<long, int> ended;
  for (int i = 0; i < 110; ++i) {
    h.pass(seconds{1});
    for (const auto id : h.in(phase::connecting)) h.ready(id);
    ended[i] += static_cast<int>(h.in(phase::draining).size());
    h.close_told();
  }
  for (const auto& [second, count] : ended) BOOST_TEST(count <= 6, "in second " << second);
}

BOOST_AUTO_TEST_CASE(connections_bound_with_an_earlier_secret_are_replaced_gradually) {
  auto p = small_policy(5, 10);
  p.max_lifetime = seconds{1000};
  p.max_idle_time = seconds{100000};
  pool_harness h{p};
  const auto become_ready = [&](std::uint64_t secret) {
    for (const auto id : h.in(phase::connecting)) {
      h.sockets.at(id).at = phase::ready;
      h.pool.on_ready(id, h.now, secret);
      h.take();
    }
  };
  for (int i = 0; i < 10; ++i) {
    become_ready(1);
    h.pass(milliseconds{200});
  }
  const auto old = h.in(phase::ready);
  BOOST_TEST_REQUIRE(old.size() == 5U);
  h.die(old.front());
  std::size_t least = 5, most_draining = 0;
  duration took{};
  const auto left = [&] {
    return std::count_if(old.begin(), old.end(), [&](const auto id) { return h.sockets.count(id) > 0; });
  };
  for (; left() > 0 && took < seconds{1000}; took += milliseconds{200}) {
    become_ready(2);
    most_draining = std::max(most_draining, h.in(phase::draining).size());
    h.close_told();
    h.pass(milliseconds{200});
    least = std::min(least, h.in(phase::ready).size());
  }
  BOOST_TEST(least >= 4U, "the one that died is replaced, the others before they go");
  BOOST_TEST(most_draining <= 1U);
  BOOST_TEST((took > seconds{20} && took <= seconds{202}), "within a fifth of the lifetime");
}

BOOST_AUTO_TEST_CASE(without_a_free_socket_the_old_connection_goes_first) {
  auto p = small_policy(2, 2);
  p.max_lifetime = seconds{100};
  pool_harness h{p};
  h.ready_all();
  const auto first = h.in(phase::ready);
  std::size_t least = 2;
  for (int i = 0; i < 1200; ++i) {
    h.pass(milliseconds{100});
    least = std::min(least, h.in(phase::ready).size());
    h.close_told();
    for (const auto id : h.in(phase::connecting)) h.ready(id);
    BOOST_TEST(h.sockets.size() <= 2U);
  }
  BOOST_TEST(least == 1U, "one at a time");
  for (const auto id : first) BOOST_TEST(h.sockets.count(id) == 0U);
}

BOOST_AUTO_TEST_CASE(old_connections_are_kept_while_the_server_takes_no_new_ones) {
  auto p = small_policy(3, 6);
  p.max_lifetime = seconds{100};
  pool_harness h{p};
  h.ready_all();
  for (int i = 0; i < 300; ++i) {
    h.pass(seconds{1});
    h.fail_all();
  }
  BOOST_TEST(h.in(phase::ready).size() == 3U);
}

BOOST_AUTO_TEST_CASE(without_a_free_socket_one_old_connection_goes_and_the_others_stay_while_none_can_be_had) {
  auto p = small_policy(3, 3);
  p.max_lifetime = seconds{100};
  pool_harness h{p};
  h.ready_all();
  for (int i = 0; i < 300; ++i) {
    h.pass(seconds{1});
    h.fail_all();
    h.answer_checks(true);
    h.close_told();
  }
  BOOST_TEST(h.in(phase::ready).size() == 2U);
}

BOOST_AUTO_TEST_CASE(idle_connections_are_validated_and_bad_ones_replaced) {
  auto p = small_policy(2, 4);
  p.validate_interval = seconds{60};
  pool_harness h{p};
  h.ready_all();
  h.pass(seconds{62});
  // One after the other: what is checked takes nothing new.
  BOOST_TEST_REQUIRE(h.checks.size() == 1U);
  const auto good = h.checks[0];
  h.answer_checks(true);
  h.pass(seconds{2});
  BOOST_TEST_REQUIRE(h.checks.size() == 1U);
  const auto bad = h.checks[0];
  BOOST_TEST(bad != good);
  h.answer_checks(false);
  BOOST_TEST((h.in(phase::closing) == std::vector<connection_id>{bad}));
  h.close_told();
  h.pass(milliseconds{200});
  h.ready_all();
  BOOST_TEST(h.in(phase::ready).size() == 2U);
  h.pass(seconds{30});
  BOOST_TEST(h.checks.empty(), "not again so soon");
}

BOOST_AUTO_TEST_CASE(a_connection_told_to_close_that_stays_mute_frees_its_socket) {
  pool_harness h{small_policy(1, 1)};
  h.ready_all();
  const auto mute = h.in(phase::ready).front();
  h.pool.checked(mute, false, h.now);
  h.take();
  BOOST_TEST(h.in(phase::closing).size() == 1U);
  h.pass(seconds{12});
  h.ready_all();
  BOOST_TEST(h.sockets.count(mute) == 0U);
  BOOST_TEST(h.in(phase::ready).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_draining_connection_is_replaced_and_finishes) {
  pool_harness h{small_policy(1, 3)};
  h.ready_all();
  const auto old = h.in(phase::ready).front();
  h.share();
  h.pool.on_draining(old, nullptr, h.now);
  h.take();
  const auto t = h.share();
  h.pass(milliseconds{200});
  h.ready_all();
  BOOST_TEST(h.outcome(t).connection != old);
  BOOST_TEST(h.sockets.at(old).open() == 1U);
  h.complete(old);
  h.die(old, nullptr);
  BOOST_TEST(h.sockets.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_unresponsive_connection_has_the_idle_ones_asked_before_they_are_given_anything) {
  pool_harness h{small_policy(3, 4)};
  h.ready_all();
  const auto all = h.in(phase::ready);
  BOOST_REQUIRE(all.size() == 3U);
  h.pass(milliseconds{10});
  h.share();
  const auto unresponsive =
      *std::find_if(all.begin(), all.end(), [&](auto id) { return h.sockets.at(id).open() == 1U; });
  h.pool.on_draining(unresponsive, connect_failure(), h.now);
  h.take();
  BOOST_TEST(h.checks.size() == 2U);
  const auto waits = h.share();
  BOOST_TEST((h.outcome(waits).what == waiter_outcome::kind::waiting));
  h.answer_checks(false);
  h.pass(milliseconds{200});
  h.ready_all();
  BOOST_TEST((h.outcome(waits).what == waiter_outcome::kind::dispatched));
  BOOST_TEST(std::count(all.begin(), all.end(), h.outcome(waits).connection) == 0);
}

BOOST_AUTO_TEST_CASE(every_idle_connection_is_validated_in_its_turn) {
  auto p = small_policy(5, 5);
  p.validate_interval = milliseconds{200};
  pool_harness h{p};
  h.ready_all();
  std::set<connection_id> checked;
  for (int i = 0; i < 40; ++i) {
    checked.insert(h.checks.begin(), h.checks.end());
    h.answer_checks(true);
    h.pass(milliseconds{100});
  }
  BOOST_TEST(checked.size() == 5U);
}

BOOST_AUTO_TEST_CASE(a_check_waits_for_as_long_as_its_server_usually_takes) {
  for (const auto& [usual, expected] :
       {std::pair<duration, duration>{seconds{0}, seconds{5}}, {seconds{2}, seconds{5}}, {seconds{16}, seconds{16}}}) {
    auto p = small_policy(1, 5);
    p.validate_interval = seconds{60};
    pool_harness h{p};
    h.usual_patience = usual;
    std::vector<duration> limits;
    h.before_action = [&](const pool_action::any& a) {
      if (const auto* c = std::get_if<pool_action::check>(&a)) limits.push_back(c->deadline - h.now);
    };
    h.ready_all();
    h.pass(seconds{61});
    BOOST_TEST((limits == std::vector<duration>{expected}), "of an idle connection");
    h.answer_checks(true);
    h.lease();
    h.ask(acquire_kind::lease);
    h.fail_all();
    BOOST_TEST((limits == std::vector<duration>{expected, expected}), "of a witness");
  }
}
