// Strangers that are gone, and what is said of them.
#include "scenarios/scenario.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(stranger_alone_in_a_cluster_is_probed_as_configured) {
  leak_guard leaks;
  stub_directory server;
  auto all = quick_settings({server_at(server.port())});
  connection_manager manager(all);
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
  const auto began = std::chrono::steady_clock::now();
  const auto answer = manager.try_search(search_for("(uid=user1)"), {10s});
  BOOST_TEST((answer.code() == errc::breaker_open), why(answer));
  BOOST_TEST((std::chrono::steady_clock::now() - began < 500ms));
  a.start();
  b.start();
  end_scenario(manager, {a, b});
}
