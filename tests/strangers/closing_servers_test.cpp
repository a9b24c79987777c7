// Strangers that accept connections and end them: balancers without backends, servers out of descriptors.
#include "scenarios/scenario.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(stranger_that_accepts_and_closes_sees_few_connects) {
  leak_guard leaks;
  stub_directory balancer;
  balancer.limit_connections(0);
  connection_manager manager(quick_settings({server_at(balancer.port())}));
  const auto connected = manager.connect();
  BOOST_TEST(!connected.connected);
  const auto before = balancer.connections();
  {
    background_load reads(manager, 16, {}, 1s);
    BOOST_TEST(holds_for([&] { return reads.succeeded() == 0; }, 2s));
    BOOST_TEST(reads.finish());
    BOOST_TEST(reads.succeeded() == 0u);
  }
  // The breaker is tried after 0.2 s, 0.4 s, 0.8 s, then each second; the monitor probes five times a second.
  const auto made = balancer.connections() - before;
  BOOST_TEST(made <= 40u, made << " connects in three seconds");
  balancer.limit_connections({});
  end_scenario(manager, {balancer});
}
