// Strangers that are gone, and what is said of them.
#include "scenarios/scenario.hpp"
#include "support/stall_watch.hpp"

#include <boost/test/unit_test.hpp>
#include <thread>

using namespace understudy;
using namespace understudy::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(stranger_alone_in_a_cluster_is_probed_as_configured) {
  leak_guard leaks;
  stub_directory server;
  ha_options how;
  how.health_check_interval = 200ms;
  auto manager = connection_manager::create_ha_cluster({server_at(server.port())}, how);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto asked = server.count(operation::search);
  // Nobody asks but the monitor.
  BOOST_TEST(eventually([&] { return server.count(operation::search) >= asked + 5; }, 5s));
  end_scenario(manager, {server});
}

BOOST_AUTO_TEST_CASE(stranger_that_dies_on_a_quiet_pool_is_known_to_be_down_to_the_next_caller) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  all.failover.health_check_interval = 10s;
  all.recovery.auto_recovery = false;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST(manager.is_connected());
  a.stop();
  b.stop();
  BOOST_TEST(eventually([&] { return !manager.is_connected(); }, 1s));
  const stopwatch watch;
  const auto answer = manager.try_search(search_for("(uid=user1)"), {10s});
  BOOST_TEST((answer.code() == errc::breaker_open), why(answer));
  BOOST_TEST((watch.elapsed() < 500ms));
  a.start();
  b.start();
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(stranger_that_was_the_only_one_and_died_is_known_to_be_down) {
  leak_guard leaks;
  for (const bool quiet : {true, false}) {
    stub_directory server;
    auto all = quick_settings({server_at(server.port())});
    all.failover.health_check_interval = all.pool.health_check_interval = 10s;
    connection_manager manager(all);
    BOOST_TEST_REQUIRE(manager.connect().connected);
    BOOST_TEST_REQUIRE(eventually([&] { return server_in(manager.snapshot(), server.port()).pool.now.idle >= 2u; }));
    {
      std::optional<background_load> reads;
      if (!quiet) {
        reads.emplace(manager, 2, background_load::maker{}, 300ms);
        BOOST_TEST_REQUIRE(eventually([&] { return reads->succeeded() > 100; }));
      }
      server.stop();
      const stopwatch watch;
      BOOST_TEST(eventually([&] { return !manager.is_connected(); }, 5s));
      BOOST_TEST((watch.elapsed() < 500ms));
      BOOST_TEST(holds_for([&] { return !manager.is_connected(); }, 1s));
    }
    server.start();
    end_scenario(manager, {server});
  }
}

BOOST_AUTO_TEST_CASE(stranger_that_answers_no_connects_before_start_costs_its_first_caller_a_second) {
  leak_guard leaks;
  stub_directory a, b;
  a.ignore_connects();
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  const stopwatch first;
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST((first.elapsed() <= 1500ms));
  for (int i = 0; i < 20; ++i) {
    const stopwatch next;
    const auto answer = manager.try_search(search_for("(uid=user1)"), {3s});
    BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
    BOOST_TEST(answer->server == name_of(b.port()));
    BOOST_TEST((next.elapsed() <= 300ms));
    std::this_thread::sleep_for(100ms);
  }
  a.start();
  end_scenario(manager, {a, b});
}
