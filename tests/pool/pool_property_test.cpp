// Thousands of random interleavings: whatever happens, the pool keeps its promises; and each promise breaks when the
// mechanism behind it is off, so it is one.
#include "pool/pool_storm.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using outcome = waiter_outcome::kind;

namespace {

constexpr property_size size{8000, 120};

auto storm(pool_weakness weakness = {}) {
  return [weakness] {
    const auto shape = *any(pool_shapes()).as("pool");
    const auto commands = *pool_commands().as("commands");
    pool_storm{shape, weakness}.run(commands);
  };
}

void expect_broken(const char* promise, pool_weakness weakness) {
  expect_counterexample(promise, {1000, 120}, storm(std::move(weakness)));
}

/// Of those who wait for the same as `t`, the one who came last.
waiter_id youngest_like(const pool_harness& h, waiter_id t) {
  auto found = t;
  for (const auto& [other, o] : h.waiters)
    if (o.what == outcome::waiting && o.who.what == h.outcome(t).who.what) found = std::max(found, other);
  return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(whatever_happens_in_whatever_order_the_pool_keeps_its_promises) {
  check_property("pool", size, storm());
}

BOOST_AUTO_TEST_CASE(without_deadlines_of_waiters_somebody_is_served_late) {
  pool_weakness w;
  w.admission = [](acquire_request& request) { request.deadline += std::chrono::hours{1}; };
  w.policy = [](pool_policy& p) {
    p.wait_timeout = std::chrono::hours{1};
    p.failover_timeout = duration::zero();
  };
  expect_broken("nobody is served after the deadline", w);
  expect_broken("nobody waits beyond the deadline", w);
}

BOOST_AUTO_TEST_CASE(without_order_somebody_is_served_before_those_who_came_earlier) {
  pool_weakness w;
  w.actions = [](pool_harness& h, std::vector<pool_action::any>& actions) {
    for (auto& a : actions)
      if (auto* d = std::get_if<pool_action::dispatch>(&a); d != nullptr && h.waiters.count(d->waiter))
        d->waiter = youngest_like(h, d->waiter);
  };
  expect_broken("nobody is served before those who came earlier", w);
}

BOOST_AUTO_TEST_CASE(an_answer_that_gets_lost_or_doubled_is_noticed) {
  pool_weakness lost, doubled;
  lost.actions = [](pool_harness&, std::vector<pool_action::any>& actions) {
    std::erase_if(actions, [](const auto& a) { return std::holds_alternative<pool_action::redispatch>(a); });
  };
  doubled.actions = [](pool_harness&, std::vector<pool_action::any>& actions) {
    for (std::size_t i = 0; i < actions.size(); ++i)
      if (std::holds_alternative<pool_action::refuse>(actions[i])) {
        const auto again = actions[i];
        actions.insert(actions.begin() + static_cast<std::ptrdiff_t>(i++), again);
      }
  };
  expect_broken("everybody is told exactly once", lost);
  expect_broken("everybody is told exactly once", doubled);
}

BOOST_AUTO_TEST_CASE(a_pool_that_may_open_one_more_opens_it) {
  pool_weakness sockets, connects, load;
  sockets.policy = [](pool_policy& p) { p.max_pooled = ++p.max; };
  connects.policy = [](pool_policy& p) { ++p.max_connecting; };
  load.policy = [](pool_policy& p) { ++p.max_in_flight; };
  expect_broken("no more sockets than max_connections", sockets);
  expect_broken("no more connects at once than max_connecting", connects);
  expect_broken("no connection carries more than it may", load);
}

BOOST_AUTO_TEST_CASE(a_probe_that_takes_no_slot_is_a_socket_too_many) {
  pool_weakness w;
  w.probes_unheard = true;
  expect_broken("no more sockets than max_connections", w);
}

BOOST_AUTO_TEST_CASE(a_holder_whose_death_is_not_told_keeps_its_lease) {
  pool_weakness w;
  w.deaths_unheard = true;
  expect_broken("leased is what somebody holds", w);
}

BOOST_AUTO_TEST_CASE(a_connection_that_answers_and_is_not_heard_leaves_its_server_for_dead) {
  pool_weakness w;
  w.answers_unheard = true;
  expect_broken("no connect failure is reported while an open connection answers", w);
}

BOOST_AUTO_TEST_CASE(completions_that_are_not_told_leave_somebody_waiting_beside_an_empty_connection) {
  pool_weakness w;
  w.completions_unheard = true;
  expect_broken("nobody waits while there is room", w);
}

BOOST_AUTO_TEST_CASE(without_repair_in_the_background_the_minimum_stays_away) {
  pool_weakness w;
  w.policy = [](pool_policy& p) { p.reconnect = false; };
  expect_broken("the minimum is there again", w);
}

BOOST_AUTO_TEST_CASE(a_pool_without_a_socket_to_spare_breaks_before_it_makes) {
  pool_weakness w;
  w.policy = [](pool_policy& p) { p.max = p.max_pooled = std::max(1U, p.min); };
  expect_broken("a connection goes only when another has taken its place", w);
}

BOOST_AUTO_TEST_CASE(a_lease_that_nobody_gives_back_in_the_end_is_noticed) {
  pool_weakness w;
  w.actions = [](pool_harness&, std::vector<pool_action::any>& actions) {
    std::erase_if(actions, [](const auto& a) { return std::holds_alternative<pool_action::drained>(a); });
  };
  expect_broken("a drain ends once, at its deadline at the latest", w);
}
