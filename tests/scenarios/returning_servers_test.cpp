// Scenarios 11 to 14: servers that come and go, hang when they are tried, restart, and return.
#include "scenarios/evidence.hpp"
#include "support/stall_watch.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// True when a read since forget() took that long, less what the machine kept this process waiting for a processor.
bool anybody_waited(const background_load& reads, duration limit, const stall_watch& stalls) {
  const auto all = reads.history();
  return std::any_of(all.begin(), all.end(), [&](const background_load::served& each) {
    return each.ended - each.began >= limit &&
           each.ended - each.began - stalls.stalled(each.began, each.ended) >= limit;
  });
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_11_a_flapping_server_is_damped) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  // An hour of ten-second flaps in ten seconds.
  all.failover.health_check_interval = 50ms;
  all.failover.hold_down = 100ms;
  all.failover.ramp = 50ms;
  all.breaker.open_base = 50ms;
  all.breaker.open_cap = 5s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  background_load reads(manager, 8);
  int returns = 0;
  for (int flap = 0; flap < 20; ++flap) {
    a.stop();
    BOOST_TEST(holds_for([&] { return reads.failures().empty(); }, 250ms), reads.example());
    a.start();
    reads.forget();
    BOOST_TEST(holds_for([&] { return reads.failures().empty(); }, 250ms), reads.example());
    if (reads.by_server().count(name_of(a.port())) > 0) ++returns;
  }
  BOOST_TEST(returns <= 6, "requests went back to it " << returns << " times");
  BOOST_TEST(server_in(manager.snapshot(), a.port()).breaker_opened <= 20u);
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_12_a_half_open_server_whose_probe_hangs_is_opened_again) {
  leak_guard leaks;
  stub_directory a, b;
  auto preferred = server_at(a.port(), 1);
  preferred.timeout = 500ms;
  connection_manager manager(quick_settings({preferred, server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  background_load reads(manager, 8);
  BOOST_TEST_REQUIRE(eventually([&] { return reads.by_server().count(name_of(a.port())) > 0; }));
  // Connects succeed, the bind of every probe hangs.
  a.pause();
  BOOST_TEST_REQUIRE(eventually([&] { return breaker_of(manager, a.port()) == breaker_state::open; }));
  reads.forget();
  for (std::uint64_t times = 2; times <= 3; ++times) {
    BOOST_TEST(eventually([&] { return breaker_of(manager, a.port()) == breaker_state::half_open; }));
    BOOST_TEST(eventually([&] { return server_in(manager.snapshot(), a.port()).breaker_opened >= times; }));
  }
  // Nobody was sent there to find out.
  BOOST_TEST(reads.by_server().count(name_of(a.port())) == 0u);
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  BOOST_TEST((reads.longest() < 10s));
  a.resume();
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_13_two_hundred_connections_come_back_few_at_a_time_and_spread_out) {
  leak_guard leaks;
  constexpr int size = 200;
  constexpr std::size_t connecting = 4;
  constexpr auto bind_time = 40ms;
  stub_directory a;
  auto server = server_at(a.port());
  server.pool_size = size;
  server.max_pool_size = size + 10;
  auto all = quick_settings({server});
  all.pool.max_connecting = connecting;
  all.pool.preload_connections = true;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(eventually([&] { return ready_connections(manager, a.port()) >= size; }, 60s));
  a.disturb(operation::bind, {.delay = bind_time});
  background_load reads(manager, 64);
  const auto before = a.arrivals().size();
  a.stop();
  BOOST_TEST(eventually([&] { return ready_connections(manager, a.port()) == 0; }));
  a.start();
  BOOST_TEST_REQUIRE(eventually([&] { return ready_connections(manager, a.port()) >= size; }, 60s));
  BOOST_TEST(reads.finish());
  const auto all_arrivals = a.arrivals();
  const std::vector<time_point> arrivals(all_arrivals.begin() + static_cast<std::ptrdiff_t>(before),
                                         all_arrivals.end());
  BOOST_TEST_REQUIRE(arrivals.size() >= static_cast<std::size_t>(size));
  // Beside them, the monitor's probe.
  BOOST_TEST(a.most_beginning_connections() <= connecting + 1);
  BOOST_TEST(a.most_beginning_connections() >= connecting);
  std::vector<duration> gaps;
  for (std::size_t i = 1; i < arrivals.size(); ++i) gaps.push_back(arrivals[i] - arrivals[i - 1]);
  std::sort(gaps.begin(), gaps.end());
  const auto spread = gaps[gaps.size() * 9 / 10] - gaps[gaps.size() / 10];
  BOOST_TEST((spread > 20ms), "arrivals come at a steady beat");
  a.forget_rules();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_14_nobody_waits_for_the_dead_or_the_returning_server) {
  leak_guard leaks;
  // Far longer than any request takes, shorter than a probe's time.
  constexpr auto bind_time = 4s;
  constexpr auto patience_of_callers = 3500ms;
  const stall_watch stalls;
  stub_directory a, b;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  background_load reads(manager, 8);
  BOOST_TEST_REQUIRE(eventually([&] { return reads.by_server().count(name_of(a.port())) > 0; }));
  reads.forget();
  a.stop();
  BOOST_TEST(eventually([&] { return breaker_of(manager, a.port()) != breaker_state::closed; }));
  BOOST_TEST(eventually([&] { return reads.by_server().count(name_of(b.port())) > 0; }));
  BOOST_TEST(!anybody_waited(reads, patience_of_callers, stalls), "for the dead server");
  reads.forget();
  a.disturb(operation::bind, {.delay = bind_time});
  a.start();
  BOOST_TEST(eventually([&] { return reads.by_server().count(name_of(a.port())) > 0; }, 40s));
  BOOST_TEST(!anybody_waited(reads, patience_of_callers, stalls), "for the returning server");
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  a.forget_rules();
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_14_nobody_waits_for_a_server_that_answers_no_connects) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  all.failover.failover_timeout = 500ms;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  background_load reads(manager, 8);
  BOOST_TEST_REQUIRE(eventually([&] { return reads.by_server().count(name_of(a.port())) > 0; }));
  reads.forget();
  a.ignore_connects();
  a.close_all();
  BOOST_TEST(eventually([&] { return breaker_of(manager, a.port()) == breaker_state::open; }));
  // Until the breaker opens, failover_timeout is the price at most, never the time of a connect (30 s).
  BOOST_TEST((reads.longest() < all.failover.failover_timeout + 9s));
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  a.start();
  end_scenario(manager, {a, b});
}
