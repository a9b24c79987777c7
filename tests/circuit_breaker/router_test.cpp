// Servers, breakers and selection together, on injected time.
#include "understudy/actors/circuit_breaker/router.hpp"
#include "moments.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <set>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

server_facts facts(server_id id, int priority) {
  server_facts f;
  f.id = id;
  f.host = "ldap" + std::to_string(id);
  f.port = 389;
  f.name = f.host + ":389";
  f.priority = priority;
  return f;
}

struct two_levels {
  router r{router_options{}, make_random(7)};
  std::int64_t now = 0;

  two_levels() {
    r.update({facts(0, 1), facts(1, 2)}, at(now).now);
    r.set_probed(true);
  }
  std::optional<route> choose(const selection_query& query = {}) {
    return r.choose(query, at(now + 30'000).now, at(now).now);
  }
  int chosen() {
    const auto c = choose();
    return c ? static_cast<int>(c->server) : -1;
  }
  void break_server(server_id id) {
    for (int i = 0; i < 5; ++i) r.on_report(failed(0, failure_class::transport, id), at(now));
  }
  void probe(server_id id, bool ok) { r.on_probe(probed(ok, id), at(now)); }
  /// Lets time pass in steps of 100 ms, probes answered as `up` says: half-open servers every 200 ms, others each 10 s.
  template <class Up>
  void pass(std::int64_t ms, Up&& up) {
    for (const auto end = now + ms; now < end; now += 100) {
      r.advance(at(now));
      for (const auto& s : r.snapshot(at(now).now)) {
        if ((s.breaker == breaker_state::half_open && now % 200 == 0) || now % 10'000 == 0) probe(s.id, up(s.id, now));
      }
    }
  }
  breaker_state state(server_id id) { return r.snapshot(at(now).now)[id].breaker; }
};

bool always_up(server_id, std::int64_t) { return true; }

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_second_level_takes_over_when_the_first_opens, two_levels) {
  BOOST_TEST(chosen() == 0);
  break_server(0);
  BOOST_TEST(chosen() == 1);
  const auto changes = r.take_changes();
  BOOST_REQUIRE_EQUAL(changes.size(), 1U);
  BOOST_TEST(changes[0].state == breaker_state::open);
  BOOST_TEST(changes[0].cause.what->message == "connection refused");
  BOOST_TEST(r.take_changes().empty());
}

BOOST_FIXTURE_TEST_CASE(a_route_carries_the_breakers_generation, two_levels) {
  const auto before = choose();
  break_server(0);
  pass(3000, always_up);
  BOOST_TEST(state(0) == breaker_state::closed);
  now += 60'000;
  const auto after = choose();
  BOOST_TEST(after->server == 0U);
  BOOST_TEST(after->generation > before->generation);
  BOOST_TEST(!after->trial);
}

BOOST_FIXTURE_TEST_CASE(failback_waits_for_the_hold_down_then_ramps, two_levels) {
  break_server(0);
  pass(2000, always_up);
  BOOST_REQUIRE_EQUAL(state(0), breaker_state::closed);
  for (; now < 10'000; now += 500) BOOST_TEST(chosen() == 1);
  now = 14'000;
  std::set<int> both;
  for (int i = 0; i < 200; ++i) both.insert(chosen());
  BOOST_TEST(both.size() == 2U);
  now = 30'000;
  for (int i = 0; i < 200; ++i) BOOST_TEST(chosen() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_shorter_hold_down_counts_for_a_server_that_is_held_down, two_levels) {
  router_options patient;
  patient.failback.hold_down = std::chrono::hours{24};
  r.configure(patient);
  break_server(0);
  pass(2000, always_up);
  BOOST_REQUIRE_EQUAL(state(0), breaker_state::closed);
  now = 60'000;
  BOOST_TEST(chosen() == 1);
  r.configure(router_options{});
  for (int i = 0; i < 200; ++i) BOOST_TEST(chosen() == 0);
}

/// Their hold-downs end at different times. With the settled server gone they protect nobody, and requests would leave
/// the preferred one for whichever is through first.
BOOST_FIXTURE_TEST_CASE(a_settled_server_that_is_taken_out_ends_the_hold_downs_of_the_others, two_levels) {
  r.update({facts(0, 1), facts(1, 2), facts(2, 3)}, at(now).now);
  break_server(0);
  pass(5'000, always_up);
  break_server(0);  // a flap: held down for longer
  break_server(1);
  pass(5'000, always_up);
  BOOST_TEST_REQUIRE(state(0) == breaker_state::closed);
  BOOST_TEST_REQUIRE(state(1) == breaker_state::closed);
  BOOST_TEST(chosen() == 2);
  r.update({facts(0, 1), facts(1, 2)}, at(now).now);
  for (const auto end = now + 60'000; now < end; now += 500) BOOST_TEST_REQUIRE(chosen() == 0);
}

/// One that has never answered serves nobody yet: for its sake no other one is made to wait.
BOOST_FIXTURE_TEST_CASE(a_server_that_has_not_answered_yet_holds_no_other_one_down, two_levels) {
  for (const bool heard : {false, true}) {
    router fresh{router_options{}, make_random(7)};
    fresh.update({facts(0, 1), facts(1, 2)}, at(0).now);
    fresh.set_probed(true);
    if (heard) fresh.on_report(ready(1), at(0));
    for (int i = 0; i < 5; ++i) fresh.on_report(failed(0, failure_class::transport, 0), at(0));
    for (now = 0; now < 5'000; now += 100) {
      fresh.advance(at(now));
      fresh.on_probe(probed(true, 0), at(now));
    }
    BOOST_TEST_REQUIRE(fresh.state_of(0) == breaker_state::closed);
    BOOST_TEST(fresh.choose({}, at(now + 1'000).now, at(now).now)->server == (heard ? 1U : 0U));
  }
}

BOOST_FIXTURE_TEST_CASE(a_stand_in_that_is_suspended_ends_the_hold_down_of_what_it_stood_in_for, two_levels) {
  break_server(0);
  pass(2'000, always_up);
  BOOST_TEST_REQUIRE(chosen() == 1);
  r.suspend(1, duration{}, at(now));
  BOOST_TEST_REQUIRE(chosen() == 0);
  r.resume(1, at(now));
  BOOST_TEST(chosen() == 0, "nothing moves when the stand-in is back");
}

/// Nobody waits for the one that failed for the sake of a stand-in that leaves connects unanswered.
BOOST_FIXTURE_TEST_CASE(a_silent_stand_in_is_no_reason_to_sit_an_open_time_out, two_levels) {
  r.on_report(ready(1), at(now));
  break_server(0);
  BOOST_TEST_REQUIRE(chosen() == 1);
  outcome_report mute;
  mute.server = 1;
  mute.silent = true;
  r.on_report(mute, at(now));
  probe(0, true);
  BOOST_TEST(state(0) == breaker_state::half_open);
}

/// Probes were answered before, too: one request at a time finds out, though another server serves.
BOOST_FIXTURE_TEST_CASE(a_server_that_lost_requests_is_given_one_of_them_when_it_is_half_open, two_levels) {
  for (int i = 0; i < 5; ++i, now += 2'000) {
    auto lost = failed(0, failure_class::transport, 0);
    lost.open_since = at(now).now;
    r.on_report(lost, at(now));
  }
  BOOST_TEST_REQUIRE(state(0) == breaker_state::open);
  now += 2'000;
  r.advance(at(now));
  probe(0, true);
  BOOST_TEST_REQUIRE(state(0) == breaker_state::half_open);
  BOOST_TEST(chosen() == 0);
  BOOST_TEST(chosen() == 1, "one at a time");
}

BOOST_AUTO_TEST_CASE(a_server_that_is_usually_slow_is_given_more_time_by_its_breaker) {
  for (const bool slow : {false, true}) {
    router r{router_options{}, make_random(7)};
    auto only = facts(0, 1);
    if (slow) only.slowness = [] { return duration{seconds{8}}; };
    r.update({only}, at(0).now);
    r.set_probed(true);
    BOOST_TEST_REQUIRE(r.suspect(0, at(0).now));
    BOOST_TEST((r.suspects(at(9'000).now).size() == 1U) == slow, "a suspicion waits for the probe's answer");
  }
}

BOOST_FIXTURE_TEST_CASE(another_server_that_is_taken_out_ends_no_hold_down, two_levels) {
  r.update({facts(0, 1), facts(1, 2), facts(2, 3)}, at(now).now);
  break_server(0);
  pass(2'000, always_up);
  BOOST_TEST_REQUIRE(state(0) == breaker_state::closed);
  r.update({facts(0, 1), facts(1, 2)}, at(now).now);
  BOOST_TEST(chosen() == 1);
}

BOOST_FIXTURE_TEST_CASE(all_down_is_refused_with_causes_and_served_within_the_longest_backoff_later, two_levels) {
  break_server(0);
  break_server(1);
  BOOST_TEST(!choose().has_value());
  const auto why = r.refuse({}, nullptr, at(now).now);
  BOOST_TEST(why.code == errc::breaker_open);
  BOOST_TEST(why.retry_after.has_value());
  const auto down = [](server_id, std::int64_t) { return false; };
  pass(3'600'000, down);
  BOOST_TEST(!choose().has_value());
  std::size_t opened = 0;
  for (const auto& s : r.snapshot(at(now).now)) opened += s.breaker_opened;
  BOOST_TEST(opened < 160U);
  const auto up_since = now;
  while (!choose() && now - up_since < 80'000) pass(100, always_up);
  BOOST_TEST(now - up_since <= 72'000);
}

BOOST_FIXTURE_TEST_CASE(a_good_probe_ends_an_outage_early_when_nothing_else_serves, two_levels) {
  break_server(0);
  break_server(1);
  probe(1, true);
  const auto c = choose();
  BOOST_REQUIRE(c.has_value());
  BOOST_TEST(c->server == 1U);
  BOOST_TEST(c->trial);
  // The other one is not back for long: that is no reason to wait.
  probe(0, true);
  BOOST_TEST(state(0) == breaker_state::half_open);
}

BOOST_FIXTURE_TEST_CASE(a_good_probe_ends_no_open_time_while_another_server_serves, two_levels) {
  r.on_report(ready(1), at(now));
  break_server(0);
  probe(0, true);
  BOOST_TEST(state(0) == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_came_back_while_nothing_served_keeps_its_requests, two_levels) {
  router_options options;
  options.breaker.probes_to_close = 1;
  r.configure(options);
  r.suspend(1, duration::zero(), at(now));
  break_server(0);
  probe(0, true);
  BOOST_TEST(state(0) == breaker_state::closed);
  BOOST_TEST(chosen() == 0);
  r.resume(1, at(now));
  BOOST_TEST(chosen() == 0);
}

// ---- an outage of all ----

namespace {

struct outage_of_all : two_levels {
  std::array<std::int64_t, 2> up_from{};
  bool is_up(server_id id, std::int64_t ms) const { return ms >= up_from[id]; }

  /// Both fail, and answer again at these times. When that is over.
  void break_both(std::int64_t first, std::int64_t second) {
    up_from = {first, second};
    break_server(0);
    break_server(1);
  }
  void step() {
    pass(100, [this](server_id id, std::int64_t ms) { return is_up(id, ms); });
  }
  bool closed(server_id id) { return state(id) == breaker_state::closed; }
};

}  // namespace

// Those who recover are held down each for its own time. A stand-in that is just back itself is no reason to wait.
BOOST_FIXTURE_TEST_CASE(after_an_outage_of_all_the_preferred_server_serves_as_soon_as_it_is_back, outage_of_all) {
  for (const auto& [first, second] : {std::pair{1000, 9000},
                                      {9000, 1000},
                                      {5000, 5000},
                                      {1000, 3000},
                                      {3000, 1000},
                                      {250'000, 251'000},
                                      {251'000, 250'000},
                                      {250'000, 250'000},
                                      {265'000, 250'000}}) {
    BOOST_TEST_CONTEXT("the first is up from " << first << " ms on, the second from " << second << " ms") {
      const auto start = now;
      break_both(start + first, start + second);
      while (!closed(0) && !closed(1) && now < start + 400'000) step();
      BOOST_TEST_REQUIRE((closed(0) || closed(1)));
      BOOST_TEST(now <= start + std::min(first, second) + 13'000);
      BOOST_TEST(chosen() == (closed(0) ? 0 : 1), "whoever answers first serves");
      while (!closed(0) && now < start + 400'000) step();
      // Found out by a probe on schedule, every ten seconds at the most; no open time is waited for.
      BOOST_TEST(now <= start + std::max(first, second) + 13'000);
      for (const auto end = now + 60'000; now < end; step()) BOOST_TEST_REQUIRE(chosen() == 0);
      now += 600'000;
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_stand_in_that_has_served_for_long_is_left_after_the_hold_down, outage_of_all) {
  break_both(60'000, 1000);
  while (!closed(0)) step();
  BOOST_TEST(chosen() == 1);
  BOOST_TEST((r.availability(at(now).now)[0].held_until > at(now).now));
  for (const auto end = now + 9'900; now < end; step()) BOOST_TEST_REQUIRE(chosen() == 1);
  now += 20'000;
  for (int i = 0; i < 100; ++i) BOOST_TEST_REQUIRE(chosen() == 0);
}

// It serves already when the one it waited for is gone: when that comes back there is nothing to return from.
BOOST_FIXTURE_TEST_CASE(a_server_that_is_held_down_takes_over_for_good_when_its_stand_in_fails, outage_of_all) {
  up_from = {1000, 0};
  for (int i = 0; i < 3; ++i) {  // it flaps: its hold-down grows
    break_server(0);
    while (!closed(0)) step();
  }
  BOOST_TEST(chosen() == 1);
  up_from[1] = now + 2000;
  break_server(1);
  BOOST_TEST(chosen() == 0);
  while (!closed(1)) step();
  for (const auto end = now + 120'000; now < end; step()) BOOST_TEST_REQUIRE(chosen() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_flapping_server_is_damped_again_soon_after_an_outage_of_all, outage_of_all) {
  break_both(2000, 1000);
  while (!closed(0) || !closed(1)) step();
  now += 25'000;
  break_server(0);
  up_from[0] = now;
  while (!closed(0)) step();
  BOOST_TEST(chosen() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_flapping_server_is_damped, two_levels) {
  // Down and up for five seconds each, twenty times; callers all the time.
  const auto up = [](server_id id, std::int64_t ms) { return id == 1 || (ms / 5000) % 2 == 1; };
  int errors = 0;
  for (; now < 200'000;) {
    pass(100, up);
    for (int i = 0; i < 10; ++i) {
      const auto c = choose();
      BOOST_REQUIRE(c.has_value());
      const bool works = up(c->server, now);
      errors += works ? 0 : 1;
      r.on_report(
          works ? succeeded(c->generation, 1, c->server) : failed(c->generation, failure_class::transport, c->server),
          at(now));
    }
  }
  BOOST_TEST(errors <= 10);
  BOOST_TEST(r.snapshot(at(now).now)[0].breaker_opened <= 12U);
  BOOST_TEST(r.snapshot(at(now).now)[1].breaker_opened == 0U);
  pass(600'000, always_up);
  BOOST_TEST(chosen() == 0);
}

BOOST_FIXTURE_TEST_CASE(slow_answers_speak_against_a_server_while_another_one_serves, two_levels) {
  for (const server_id id : {0U, 1U})
    for (int i = 0; i < 100; ++i) r.on_report(failed(0, failure_class::slow, id), at(now));
  BOOST_TEST(state(0) == breaker_state::open);
  BOOST_TEST(state(1) == breaker_state::closed);
}

BOOST_FIXTURE_TEST_CASE(a_slow_trial_of_the_last_server_gives_its_permit_back, two_levels) {
  break_server(0);
  break_server(1);
  probe(1, true);
  std::vector<route> taken;
  while (const auto c = choose()) taken.push_back(*c);
  r.on_report(trial(failed(taken.front().generation, failure_class::slow, 1)), at(now));
  BOOST_TEST(state(1) == breaker_state::half_open);
  BOOST_TEST(chosen() == 1);
}

BOOST_FIXTURE_TEST_CASE(of_several_servers_one_with_nothing_left_is_down_at_once_the_last_one_too, two_levels) {
  for (const server_id id : {0U, 1U}) {
    auto gone = failed(0, failure_class::transport, id);
    gone.none_left = true;
    r.on_report(gone, at(now));
    BOOST_TEST(state(id) == breaker_state::open);
  }
}

/// A probe and the pool compete for what a server takes: what one of them has, the other is refused.
BOOST_FIXTURE_TEST_CASE(while_probes_decide_a_refused_connect_of_the_pool_opens_nothing, two_levels) {
  auto none_left = failed(0, failure_class::transport, 0);
  none_left.none_left = true;
  break_server(0);
  now += 1300;
  r.advance(at(now));
  BOOST_TEST_REQUIRE(state(0) == breaker_state::half_open);
  r.on_report(none_left, at(now));
  BOOST_TEST(state(0) == breaker_state::half_open);
  r.set_probed(false);  // without a monitor nobody else finds out
  r.on_report(none_left, at(now));
  BOOST_TEST(state(0) == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(an_only_server_with_nothing_left_is_suspect_until_a_connection_is_ready, two_levels) {
  r.update({facts(0, 1)}, at(now).now);
  r.on_report(ready(0), at(now));
  auto gone = failed(0, failure_class::transport, 0);
  gone.none_left = true;
  r.on_report(gone, at(now));
  BOOST_TEST(state(0) == breaker_state::closed);
  BOOST_TEST(r.snapshot(at(now).now)[0].state == server_state::suspect);
  r.on_report(ready(0), at(now));
  BOOST_TEST(r.snapshot(at(now).now)[0].state == server_state::healthy);
}

BOOST_FIXTURE_TEST_CASE(where_nobody_waits_an_only_server_with_nothing_left_is_known_to_be_down_for_a_while,
                        two_levels) {
  r.update({facts(0, 1)}, at(now).now);
  auto gone = failed(0, failure_class::transport, 0);
  gone.none_left = true;
  r.on_report(gone, at(now));
  BOOST_TEST(!r.known_down(at(now).now), "whoever waits for recovery tries");
  router_options nobody_waits;
  nobody_waits.wait_for_recovery = false;
  r.configure(nobody_waits);
  BOOST_TEST(r.known_down(at(now).now));
  const auto why = r.refuse({}, nullptr, at(now).now);
  BOOST_TEST((why.code == errc::breaker_open));
  BOOST_TEST(why.cause.find("connection refused") != std::string::npos, why.cause);
  BOOST_TEST(why.message.find("tried in 1000 ms at the latest") != std::string::npos, why.message);
  BOOST_TEST(!r.known_down(at(now + 1'000).now), "after retry_delay it is tried");
  r.on_report(ready(0), at(now));
  BOOST_TEST(!r.known_down(at(now).now));
  r.on_report(gone, at(now));
  BOOST_TEST_REQUIRE(r.known_down(at(now).now));
  probe(0, true);
  BOOST_TEST(!r.known_down(at(now).now), "a probe has connected");
}

BOOST_FIXTURE_TEST_CASE(a_half_open_server_where_nobody_got_a_connection_comes_last_until_it_shows_life, two_levels) {
  break_server(0);
  break_server(1);
  now = 2000;
  r.advance(at(now));
  probe(0, true);
  probe(1, true);
  BOOST_TEST_REQUIRE(state(0) == breaker_state::half_open);
  BOOST_TEST_REQUIRE(state(1) == breaker_state::half_open);
  BOOST_TEST(chosen() == 0);
  outcome_report nobody_was_served;
  nobody_was_served.server = 0;
  nobody_was_served.silent = true;
  r.on_report(nobody_was_served, at(now));
  BOOST_TEST(chosen() == 1);
  outcome_report one_is_ready;
  one_is_ready.server = 0;
  one_is_ready.ready = true;
  r.on_report(one_is_ready, at(now));
  BOOST_TEST(chosen() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_is_silent_itself_replaces_nobody, two_levels) {
  BOOST_TEST(r.replaceable(0, at(now).now));
  outcome_report nobody_was_served;
  nobody_was_served.server = 1;
  nobody_was_served.silent = true;
  r.on_report(nobody_was_served, at(now));
  BOOST_TEST(!r.replaceable(0, at(now).now));
  BOOST_TEST(r.replaceable(1, at(now).now));
  // Nor does either of two that are silent replace the other one.
  nobody_was_served.server = 0;
  r.on_report(nobody_was_served, at(now));
  for (const server_id each : {0, 1}) BOOST_TEST(!r.replaceable(each, at(now).now));
  BOOST_TEST(r.stand_ins_at(at(now).now).count == 0U);
}

BOOST_FIXTURE_TEST_CASE(load_follows_dispatches_and_outcomes, two_levels) {
  r.update({facts(0, 1), facts(1, 1)}, at(now).now);
  for (int i = 0; i < 50; ++i) choose();
  // Server 0 answers all of its own: the next ones go there.
  r.on_report(succeeded(0, 25, 0), at(now));
  int there = 0;
  for (int i = 0; i < 20; ++i) there += chosen() == 0 ? 1 : 0;
  BOOST_TEST(there == 20);
}

BOOST_FIXTURE_TEST_CASE(outcomes_that_were_never_reported_are_forgotten, two_levels) {
  r.update({facts(0, 1), facts(1, 1)}, at(now).now);
  selection_query not_one;
  not_one.tried.insert(1);
  for (int i = 0; i < 1000; ++i) choose(not_one);
  BOOST_TEST(chosen() == 1);
  for (int i = 0; i < 14; ++i) {
    now += 5000;
    r.on_report(succeeded(0, 10, 1), at(now));
    choose();
  }
  std::set<int> both;
  for (int i = 0; i < 50; ++i) both.insert(chosen());
  BOOST_TEST(both.size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_request_taken_back_gives_its_permit_back, two_levels) {
  break_server(0);
  break_server(1);
  probe(0, true);
  std::vector<route> taken;
  while (const auto c = choose()) taken.push_back(*c);
  BOOST_TEST(taken.size() == 3U);
  r.take_back(taken.front());
  BOOST_TEST(choose().has_value());
}

BOOST_FIXTURE_TEST_CASE(an_update_keeps_what_is_known_of_a_server, two_levels) {
  break_server(0);
  r.update({facts(2, 1), facts(0, 1)}, at(now).now);
  BOOST_TEST(chosen() == 2);
  const auto all = r.snapshot(at(now).now);
  BOOST_REQUIRE_EQUAL(all.size(), 2U);
  BOOST_TEST(all[0].breaker == breaker_state::closed);
  BOOST_TEST(all[1].breaker == breaker_state::open);
  BOOST_TEST(!r.index_of(1).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_snapshot_tells_everything_an_operator_asks, two_levels) {
  r.on_report(succeeded(0, 10, 0), at(now));
  break_server(0);
  now = 100;
  const auto all = r.snapshot(at(now).now);
  BOOST_TEST(all[0].host == "ldap0");
  BOOST_TEST(all[0].port == 389);
  BOOST_TEST(all[0].state == server_state::down);
  BOOST_TEST(all[0].last_error == "connection refused");
  BOOST_TEST((*all[0].last_error_at == at(0).wall));
  BOOST_TEST(all[0].retry_after->count() > 600);
  BOOST_TEST(all[0].breaker_opened == 1U);
  BOOST_TEST(!all[0].serving);
  BOOST_TEST(all[1].serving);
  BOOST_TEST(all[1].state == server_state::healthy);
}

BOOST_FIXTURE_TEST_CASE(latency_is_a_moving_average, two_levels) {
  r.on_report(succeeded(0, 10, 1), at(now));
  BOOST_TEST((r.snapshot(at(now).now)[1].latency == milliseconds{1}));
  auto slow = succeeded(0, 1, 1);
  slow.latency_total = milliseconds{11};
  r.on_report(slow, at(now));
  const auto latency = std::chrono::duration_cast<milliseconds>(r.snapshot(at(now).now)[1].latency);
  BOOST_TEST(latency.count() == 4);
}

BOOST_FIXTURE_TEST_CASE(one_slow_answer_is_no_reason_to_leave_a_server_for_good, two_levels) {
  r.update({facts(0, 1), facts(1, 1)}, at(now).now);
  r.on_report(succeeded(0, 1, 1), at(now));
  auto slow = succeeded(0, 1, 0);
  slow.latency_total = seconds{3};
  r.on_report(slow, at(now));
  std::array<int, 2> in_second{};
  for (auto& there : in_second)
    for (const auto end = now + 1'000; now < end; now += 25) {
      const int id = chosen();
      there += id == 0 ? 1 : 0;
      r.on_report(succeeded(0, 1, static_cast<server_id>(id)), at(now));
    }
  BOOST_TEST(in_second[0] == 0);
  BOOST_TEST(in_second[1] >= 10);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_stays_slow_has_one_request_at_a_time, two_levels) {
  r.update({facts(0, 1), facts(1, 1)}, at(now).now);
  auto slow = succeeded(0, 1, 0);
  slow.latency_total = seconds{2};
  r.on_report(slow, at(now));
  std::int64_t answered_at = 0;  // 0: nothing is under way there
  int there = 0;
  for (; now < 30'000; now += 25) {
    if (answered_at != 0 && answered_at <= now) {
      answered_at = 0;
      r.on_report(slow, at(now));
    }
    const int id = chosen();
    if (id == 1) {
      r.on_report(succeeded(0, 1, 1), at(now));
      continue;
    }
    BOOST_TEST(answered_at == 0);
    answered_at = now + 2'000;
    ++there;
  }
  BOOST_TEST(there >= 5);
  BOOST_TEST(there <= 10);
}

BOOST_FIXTURE_TEST_CASE(unknown_servers_are_ignored, two_levels) {
  r.on_report(failed(0, failure_class::transport, 9), at(now));
  r.on_probe(probed(false, 9), at(now));
  BOOST_TEST(!r.suspect(9, at(now).now));
  BOOST_TEST(!r.suspend(9, duration{}, at(now)));
  BOOST_TEST(!r.resume(9, at(now)));
  BOOST_TEST(r.take_changes().empty());
}

BOOST_FIXTURE_TEST_CASE(a_suspended_level_is_passed_over_until_resumed, two_levels) {
  BOOST_TEST(r.suspend(0, duration{}, at(now)));
  BOOST_TEST(chosen() == 1);
  BOOST_TEST(r.resume(0, at(now)));
  BOOST_TEST(chosen() == 0);
}

BOOST_AUTO_TEST_CASE(no_server_is_routed_to_while_none_is_known) {
  router r{router_options{}, make_random(1)};
  BOOST_TEST(!r.choose({}, at(1).now, at(0).now).has_value());
  BOOST_TEST(r.refuse({}, nullptr, at(0).now).code == errc::no_server);
  BOOST_TEST((r.next_event() == time_point::max()));
}

BOOST_FIXTURE_TEST_CASE(connections_that_were_open_together_and_end_together_are_one_failure, two_levels) {
  const auto end = [&](std::int64_t open_since) {
    auto report = failed(0);
    report.open_since = at(open_since).now;
    r.on_report(report, at(now));
  };
  now = 60'000;
  for (int i = 0; i < 50; ++i) end(i * 1000);
  BOOST_TEST(state(0) == breaker_state::closed);
  // Each of those that are made in their place and end again is another one.
  for (int i = 0; i < 3; ++i) {
    now += 10;
    end(now - 5);
    BOOST_TEST(state(0) == breaker_state::closed);
  }
  now += 10;
  end(now - 5);
  BOOST_TEST(state(0) == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(connections_that_end_one_after_the_other_are_failures_each, two_levels) {
  for (now = 60'000; now < 65'000; now += 1000) {
    BOOST_TEST(state(0) == breaker_state::closed);
    auto report = failed(0);
    report.open_since = at(0).now;
    r.on_report(report, at(now));
  }
  BOOST_TEST(state(0) == breaker_state::open);
}

/// A request that left the queue of a server that hung is not reported by it. Taken for one under way, it kept every
/// other one from the repaired server while its equal was never busy.
BOOST_AUTO_TEST_CASE(a_server_that_hung_is_used_again_as_soon_as_it_is_ready) {
  two_levels both;
  both.r.update({facts(0, 1), facts(1, 1)}, at(0).now);
  std::set<server_id> used;
  for (int i = 0; i < 20; ++i) used.insert(both.choose()->server);
  BOOST_TEST(used.size() == 2U);
  for (int i = 0; i < 20; ++i) both.r.on_report(succeeded(0, 1, 1), at(0));  // none of server 0's is reported
  const auto choose_some = [&] {
    std::set<server_id> chosen;
    for (int i = 0; i < 20; ++i) {
      const auto one = both.choose()->server;
      chosen.insert(one);
      both.r.on_report(succeeded(0, 1, one), at(both.now));
    }
    return chosen;
  };
  BOOST_TEST((choose_some() == std::set<server_id>{1}));
  outcome_report first;
  first.server = 0;
  first.answered = true;
  both.r.on_report(first, at(both.now));
  BOOST_TEST(choose_some().size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_request_that_nobody_reports_keeps_others_away_for_half_a_minute_at_most) {
  two_levels both;
  both.r.update({facts(0, 1), facts(1, 1)}, at(0).now);
  while (both.choose()->server != 0) both.r.on_report(succeeded(0, 1, 1), at(0));
  std::set<server_id> chosen;
  for (int i = 0; i < 20; ++i) {
    both.now += 2'000;
    const auto one = both.choose()->server;
    chosen.insert(one);
    both.r.on_report(succeeded(0, 1, one), at(both.now));
  }
  BOOST_TEST(chosen.size() == 2U);
}
