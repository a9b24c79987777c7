// Scenario 10: two of three servers are down, then all of them.
#include "scenarios/evidence.hpp"

#include <sys/resource.h>
#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

double cpu_seconds() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/// From now on the server resets every connection: down, but able to count who tries.
void take_down(stub_directory& server) {
  server.reset_newcomers(true);
  server.reset_all();
}

/// Waits until every breaker is open.
bool all_open(const connection_manager& manager) {
  const auto now = manager.snapshot();
  return std::all_of(now.servers.begin(), now.servers.end(),
                     [](const auto& server) { return server.breaker == breaker_state::open; });
}

/// end_scenario() when `a` and `b` are equally preferred: each has to serve when the other may not.
void end_scenario_of_equals(connection_manager& manager, stub_directory& a, stub_directory& b, stub_directory& c) {
  for (auto* other : {&a, &b})
    BOOST_TEST(eventually([&] { return breaker_of(manager, other->port()) == breaker_state::closed; }));
  BOOST_TEST(manager.suspend(name_of(a.port())));
  check_recovery(manager, {b, c});
  BOOST_TEST(manager.resume(name_of(a.port())));
  BOOST_TEST(manager.suspend(name_of(b.port())));
  end_scenario(manager, {a, b, c});
}

bool is_refusal(const outcome& answer) {
  return answer.code() == errc::breaker_open || answer.code() == errc::no_server;
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_10_the_third_server_serves_when_two_are_down) {
  leak_guard leaks;
  stub_directory a, b, c;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 1), server_at(c.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  background_load reads(manager, 16);
  BOOST_TEST_REQUIRE(eventually([&] { return reads.by_server().size() == 2u; }));
  BOOST_TEST((manager.snapshot().active_priority == 1));
  a.stop();
  b.stop();
  BOOST_TEST(eventually([&] { return reads.by_server().count(name_of(c.port())) > 0; }));
  BOOST_TEST(eventually([&] { return manager.snapshot().active_priority == 2; }));
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  a.start();
  b.start();
  BOOST_TEST(eventually([&] { return manager.snapshot().active_priority == 1; }));
  end_scenario_of_equals(manager, a, b, c);
}

BOOST_AUTO_TEST_CASE(scenario_10_all_down_is_said_at_once_with_causes_and_when_to_come_again) {
  leak_guard leaks;
  stub_directory a, b, c;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 1), server_at(c.port(), 2)});
  all.breaker.open_base = 2s;
  all.breaker.open_cap = 2s;
  all.recovery.auto_recovery = false;
  all.recovery.reconnect_attempts = 0;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  for (auto* stub : {&a, &b, &c}) stub->stop();
  BOOST_TEST_REQUIRE(eventually([&] {
    (void)manager.try_search(search_for("(uid=user1)"), {2s});
    return all_open(manager);
  }));
  // A half-open moment may let one through to find out; the rule is about the open state.
  // What it takes to ask anything here and hear the answer, on this machine now.
  std::vector<duration> spans, rounds;
  outcome refused = manager.try_search(search_for("(uid=user1)"), {10s});
  BOOST_TEST(eventually([&] {
    const auto began = std::chrono::steady_clock::now();
    auto answer = manager.try_search(search_for("(uid=user1)"), {10s});
    if (is_refusal(answer)) {
      const auto told = std::chrono::steady_clock::now();
      spans.push_back(told - began);
      refused = std::move(answer);
      (void)manager.snapshot();
      rounds.push_back(std::chrono::steady_clock::now() - told);
    }
    return spans.size() == 400;
  }));
  BOOST_TEST_REQUIRE(is_refusal(refused), why(refused));
  BOOST_TEST(refused.error()->retry_after.has_value());
  for (auto* stub : {&a, &b, &c})
    BOOST_TEST(refused.error()->message.find(name_of(stub->port())) != std::string::npos, refused.error()->message);
  BOOST_TEST(refused.error()->message.find("since it failed at ") != std::string::npos, refused.error()->message);
  BOOST_TEST(refused.error()->message.find("refused") != std::string::npos, refused.error()->message);
  const auto median = [](std::vector<duration>& all_of_them) {
    const auto middle = all_of_them.begin() + static_cast<std::ptrdiff_t>(all_of_them.size() / 2);
    std::nth_element(all_of_them.begin(), middle, all_of_them.end());
    return std::chrono::duration_cast<std::chrono::microseconds>(*middle);
  };
  const auto refusal = median(spans), round = median(rounds);
  BOOST_TEST((refusal <= std::max<duration>(10ms, 4 * round)),
             refusal.count() << " us in the median, a snapshot " << round.count() << " us");

  const auto before = cpu_seconds();
  BOOST_TEST(holds_for([&] { return !manager.is_connected(); }, 1s));
  BOOST_TEST(cpu_seconds() - before < 0.5, "down servers keep a core busy");
  for (auto* stub : {&a, &b, &c}) stub->start();
  end_scenario_of_equals(manager, a, b, c);
}

BOOST_AUTO_TEST_CASE(scenario_10_callers_of_dead_servers_make_no_storm_of_connects_and_are_served_again) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  all.failover.health_check_interval = 500ms;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  take_down(a);
  take_down(b);
  background_load callers(manager, 32, {}, 2s);
  BOOST_TEST_REQUIRE(eventually([&] { return all_open(manager); }));
  const auto failures_before = callers.outcomes();
  const auto before = a.connections() + b.connections();
  const auto open_since = std::chrono::steady_clock::now();
  BOOST_TEST(holds_for([&] { return callers.succeeded() == 0; }, 4s));
  const auto connects = a.connections() + b.connections() - before;
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - open_since).count();
  BOOST_TEST(connects >= 4u, "nobody looks for the servers any more");
  // For each server: a probe every half second (2.5 in a second at most, with the jitter), and up to five connects in
  // each half-open moment, of which there is one for every 0.8 s of openness and three more while it doubles.
  BOOST_TEST(static_cast<double>(connects) <= 2 * (2.5 * seconds + 5 * (3 + seconds / 0.8)));
  BOOST_TEST(callers.outcomes() - failures_before > 20 * connects, "too few calls to tell a trickle from a storm");

  a.reset_newcomers(false);
  b.reset_newcomers(false);
  const auto up_since = std::chrono::steady_clock::now();
  BOOST_TEST(eventually([&] { return callers.succeeded() > 0; }));
  // open_cap and its jitter, a probe's interval, and time for slow machines.
  BOOST_TEST((std::chrono::steady_clock::now() - up_since < all.breaker.open_cap * 6 / 5 + 500ms + 5s));
  BOOST_TEST(callers.finish());
  end_scenario(manager, {a, b});
}

// Hold-downs protect those whom a stand-in serves meanwhile. Here nobody serves, and both are back at about one time.
BOOST_AUTO_TEST_CASE(scenario_10_after_an_outage_of_all_the_preferred_server_serves_as_soon_as_it_answers) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  all.failover.health_check_interval = 300ms;
  all.failover.hold_down = 2s;
  all.failover.ramp = 1s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  for (const auto& [first, second] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
    background_load callers(manager, 8, {}, 500ms);
    a.stop();
    b.stop();
    BOOST_TEST_REQUIRE(eventually([&] { return all_open(manager); }));
    callers.forget();
    first->start();
    BOOST_TEST(eventually([&] { return callers.by_server().count(name_of(first->port())) > 0; }));
    second->start();
    BOOST_TEST_REQUIRE(eventually([&] { return breaker_of(manager, a.port()) == breaker_state::closed; }));
    const auto back = std::chrono::steady_clock::now();
    BOOST_TEST(eventually([&] { return breaker_of(manager, b.port()) == breaker_state::closed; }));
    // Longer than both hold-downs and ramps.
    BOOST_TEST(holds_for([&] { return breaker_of(manager, a.port()) == breaker_state::closed; }, 5s));
    BOOST_TEST(callers.finish());
    std::size_t served = 0, elsewhere = 0;
    for (const auto& each : callers.history())
      if (each.began > back) ++(each.server == name_of(a.port()) ? served : elsewhere);
    BOOST_TEST(served > 0u);
    BOOST_TEST(elsewhere == 0u, elsewhere << " of " << served + elsewhere << " left the preferred server");
  }
  end_scenario(manager, {a, b});
}
