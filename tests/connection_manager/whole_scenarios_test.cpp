// Long stories on virtual time: outages of an hour, flapping servers, restarts, wrong clocks.
#include "made_up_directory.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using std::chrono::hours;
using std::chrono::minutes;

namespace {

struct one_of_many : whole {
  one_of_many() : whole({1, 1, 2}) {}
};

/// One server with many connections.
struct crowd : whole {
  explicit crowd(std::uint64_t seed = 1) : whole({1}, seed) {
    all.pool.min_connections = all.pool.max_connections = 200;
    all.pool.max_idle_time = hours{1};
    all.pool.max_connecting = 4;
    world->servers[0].connect_time = milliseconds{20};
    begin();
    advance(seconds{60});
    BOOST_TEST_REQUIRE(status().servers[0].pool.now.idle == 200U);
  }
  /// When each connect of the recovery was begun, as seen from the restart; it takes two seconds.
  std::vector<duration> restart() {
    auto& server = world->servers[0];
    server.connects.clear();
    server.most_connecting = 0;
    const auto from = now();
    take_down(0);
    advance(seconds{2});
    bring_up(0);
    advance(minutes{5});
    std::vector<duration> begun;
    for (const auto at : server.connects) begun.push_back(at - from);
    return begun;
  }
};

std::size_t connects(const directory_world& world) {
  std::size_t all = 0;
  for (const auto& [id, server] : world.servers) all += server.connects.size();
  return all;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(scenario_10_an_hour_of_outage_is_a_trickle_and_ends_by_itself, one_of_many) {
  begin();
  BOOST_TEST(search().ok());
  for (server_id id = 0; id < 3; ++id) take_down(id);
  advance(seconds{30});
  const auto before = connects(*world);
  for (int i = 0; i < 360; ++i) {
    // Told at once: no time passes.
    const auto told = ask<result_ptr>(manager, perform_atom_v, call_of(search_request{}, seconds{30}));
    BOOST_TEST_REQUIRE(told.done());
    BOOST_TEST_REQUIRE(!told.ok());
    BOOST_TEST(told.error->retry_after.has_value());
    advance(seconds{10});
  }
  // Of each server one probe in ten seconds and one connect in thirty, give or take their jitter and half-open moments.
  BOOST_TEST(connects(*world) - before <= 3U * (360 + 120) * 3 / 2);
  BOOST_TEST(connects(*world) - before >= 3U * 60, "somebody still tries");
  for (server_id id = 0; id < 3; ++id) bring_up(id);
  const auto since = now();
  while (!search(milliseconds{1}).ok() && now() - since < minutes{3}) advance(milliseconds{500});
  BOOST_TEST((now() - since <= seconds{72}), "the longest backoff is a minute, and a fifth more");
  advance(minutes{10});
  BOOST_TEST((status().active_priority == std::optional{1}));
}

BOOST_FIXTURE_TEST_CASE(scenario_11_a_flapping_server_is_damped_and_no_caller_notices, whole) {
  begin();
  std::string serving = "ldap1:389";
  int moves = 0;
  for (int flap = 0; flap < 20; ++flap) {
    flap % 2 == 0 ? take_down(0) : bring_up(0);
    for (int i = 0; i < 50; ++i) {
      const auto told = search();
      BOOST_TEST_REQUIRE(told.ok());
      const auto& who = (*told.value)->server;
      // On the way back both levels serve for a while; that is one move.
      if (who != serving && who != "ldap1:389") ++moves;
      serving = who;
      advance(milliseconds{100});
    }
  }
  BOOST_TEST(moves <= 6);
  BOOST_TEST(moves >= 1);
  bring_up(0);
  advance(minutes{10});
  for (int i = 0; i < 20; ++i) BOOST_TEST((*search().value)->server == "ldap1:389");
}

BOOST_AUTO_TEST_CASE(scenario_13_a_restart_with_200_connections_is_no_storm) {
  crowd first{1};
  const auto begun = first.restart();
  BOOST_TEST(first.world->servers[0].most_connecting <= 5, "four of the pool, and a probe");
  BOOST_TEST(first.status().servers[0].pool.now.size == 200U);
  // While it was down hardly any were tried; afterwards never more than connecting ones at a time allow.
  const auto within = [&](duration from, duration to) {
    return std::count_if(begun.begin(), begun.end(), [&](duration d) { return d >= from && d < to; });
  };
  BOOST_TEST(within(duration::zero(), seconds{2}) <= 20);
  for (int ms = 0; ms < 60'000; ms += 100)
    BOOST_TEST(within(milliseconds{ms}, milliseconds{ms + 100}) <= 4 * (100 / 20 + 1) + 2);
  // Another process spreads out differently.
  crowd second{2};
  const auto other = second.restart();
  std::vector<duration> together;
  std::set_intersection(begun.begin(), begun.end(), other.begin(), other.end(), std::back_inserter(together));
  BOOST_TEST(together.size() * 10 <= begun.size(), together.size() << " of " << begun.size() << " at the same moment");
}

BOOST_FIXTURE_TEST_CASE(scenario_44_steps_of_the_wall_clock_change_nothing, one_of_many) {
  all.pool.max_connections = 2;
  all.pool.max_in_flight = 1;
  begin();
  advance(seconds{30});
  const auto opened = world->opened, closed = world->closed;
  for (server_id id = 0; id < 2; ++id) pause(id);
  std::vector<answer_ptr<result_ptr>> waiting;
  for (int i = 0; i < 8; ++i)
    waiting.push_back(start<result_ptr>(manager, perform_atom_v, call_of(search_request{}, seconds{30})));
  run();
  for (const auto step : {hours{1}, -hours{2}, hours{1}}) {
    clock->step_wall(step);
    advance(milliseconds{100});
  }
  for (const auto& w : waiting) BOOST_TEST(!w->done());
  for (server_id id = 0; id < 2; ++id) bring_up(id);
  advance(seconds{1});
  for (const auto& w : waiting) BOOST_TEST(w->ok());
  advance(seconds{20});
  BOOST_TEST(world->closed == closed);
  BOOST_TEST(world->opened - opened <= 6, "two that were waited for, and probes");
  for (const auto& s : status().servers) BOOST_TEST((s.breaker == breaker_state::closed));
}

BOOST_FIXTURE_TEST_CASE(a_lower_level_keeps_one_warm_connection_and_grows_bit_by_bit, whole) {
  all.pool.min_connections = 6;
  all.pool.preload_connections = false;
  begin();
  advance(minutes{1});
  const auto size = [&](std::size_t id) { return status().servers[id].pool.now.size; };
  BOOST_TEST(size(0) >= 6U);
  BOOST_TEST(size(1) <= 2U, "one, and perhaps a probe");
  world->servers[1].connects.clear();
  take_down(0);
  for (int i = 0; i < 100; ++i) {
    BOOST_TEST(search().ok());
    advance(milliseconds{20});
  }
  const auto& begun = world->servers[1].connects;
  BOOST_TEST(begun.size() >= 5U);
  BOOST_TEST((begun.back() - begun.front() >= milliseconds{50}), "not all at once");
  BOOST_TEST(size(1) >= 6U);
}

/// The first bind with a password goes alone, and hung servers leave theirs unanswered one after the other.
BOOST_AUTO_TEST_CASE(hung_levels_cost_the_first_caller_a_second_each_and_the_next_ones_nothing) {
  for (const int hung : {1, 2}) {
    whole w({1, 2, 3});
    w.all.pool.preload_connections = false;
    for (server_id id = 0; id < static_cast<server_id>(hung); ++id) {
      w.world->servers[id].hangs_at_bind = true;
      w.pause(id);
    }
    w.launch();
    const auto from = w.now();
    const auto first = w.start<result_ptr>(w.manager, perform_atom_v, w.call_of(search_request{}, seconds{30}));
    w.advance(w.all.breaker.suspect_after * hung);
    BOOST_TEST(first->ok());
    BOOST_TEST((w.now() - from == seconds{hung}));
    for (int i = 0; i < 20; ++i) {
      BOOST_TEST(w.ask<result_ptr>(w.manager, perform_atom_v, w.call_of(search_request{}, seconds{30})).ok());
      w.advance(milliseconds{20});
    }
  }
}

/// The bind lockout guard lets the next server's bind go when the one under way has been silent for as long as anybody
/// waits there.
BOOST_AUTO_TEST_CASE(who_waits_behind_another_servers_bind_does_not_leave_just_before_its_end) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    whole w({1, 1}, seed);
    w.all.pool.preload_connections = false;
    w.world->servers[0].hangs_at_bind = w.world->servers[0].hangs_set_ups = true;
    w.world->servers[0].connect_time = milliseconds{10};  // it binds first
    w.world->servers[1].connect_time = milliseconds{20};
    w.launch();
    std::vector<answer_ptr<result_ptr>> all;
    for (int i = 0; i < 8; ++i) {
      all.push_back(w.start<result_ptr>(w.manager, perform_atom_v, w.call_of(search_request{}, seconds{30})));
      w.advance(milliseconds{3});
    }
    w.advance(milliseconds{1100});
    for (const auto& one : all) BOOST_TEST(one->ok(), "seed " << seed);
  }
}

/// Nobody waits for as long as silence is given: it counts for how long the server has left connects unanswered.
BOOST_AUTO_TEST_CASE(a_server_that_hangs_before_start_costs_short_deadlines_no_more_than_its_silence) {
  struct hanging {
    const char* name;
    std::vector<int> levels;
    bool at_bind, preload;
    duration deadline, gap;
  };
  for (const auto& one : {hanging{"at its bind", {1, 2}, true, true, milliseconds{900}, milliseconds{100}},
                          hanging{"at connects", {1, 2}, false, true, milliseconds{900}, milliseconds{100}},
                          hanging{"without preload", {1, 2}, true, false, milliseconds{900}, milliseconds{100}},
                          hanging{"on one level", {1, 1}, true, true, milliseconds{900}, milliseconds{100}},
                          hanging{"with gaps", {1, 2}, true, false, milliseconds{900}, seconds{5}},
                          hanging{"in no time", {1, 2}, true, true, milliseconds{200}, milliseconds{300}},
                          hanging{"for just as long", {1, 2}, true, true, seconds{1}, milliseconds{100}}}) {
    whole w(one.levels);
    w.all.pool.preload_connections = one.preload;
    auto& server = w.world->servers[0];
    server.hangs_at_bind = one.at_bind;
    server.hangs_set_ups = !one.at_bind;
    w.pause(0);
    w.launch();
    int failed = 0;
    for (int i = 0; i < 40; ++i) {
      const auto told = w.start<result_ptr>(w.manager, perform_atom_v, w.call_of(search_request{}, one.deadline));
      const auto until = w.now() + one.deadline;
      while (!told->done() && w.now() < until) w.advance(milliseconds{10});
      if (!told->ok()) {
        ++failed;
        BOOST_TEST(i < 3, one.name << ": caller " << i << " fails");
      }
      w.advance(one.gap);
    }
    BOOST_TEST(failed <= 2, one.name << ": " << failed << " fail");
  }
}
