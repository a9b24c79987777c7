// Other settings for a monitor at work, and standing connections that grow old.
#include "monitor_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

BOOST_FIXTURE_TEST_CASE(a_standing_connection_lives_no_longer_than_those_of_the_pool, monitor_fixture) {
  all.pool.max_lifetime = seconds{60};
  start_monitor();
  advance(seconds{55});
  BOOST_TEST(servers[0]->opened == 1);
  advance(seconds{250});
  BOOST_TEST(servers[0]->opened >= 4);
  BOOST_TEST(servers[0]->opened <= 6);
  BOOST_TEST(servers[0]->connections.size() == 1U);
  BOOST_TEST(servers[0]->slots_out == 1);
  for (const auto& report : told(0)) BOOST_TEST(report.ok);
}

BOOST_FIXTURE_TEST_CASE(a_standing_connection_made_with_other_values_is_replaced, monitor_fixture) {
  start_monitor();
  advance(seconds{15});
  tell_servers();
  advance(seconds{30});
  BOOST_TEST(servers[0]->opened == 1);
  all.servers[0].bind_dn = "cn=other";
  tell_servers();
  advance(seconds{12});
  BOOST_TEST(servers[0]->opened == 2);
  BOOST_TEST(servers[0]->specs.back().context->server.bind_dn == "cn=other");
  BOOST_TEST(servers[1]->opened == 1);
}

BOOST_FIXTURE_TEST_CASE(a_shorter_interval_counts_at_once, monitor_fixture) {
  all.failover.health_check_interval = std::chrono::hours{24};
  start_monitor();
  all.failover.health_check_interval = seconds{10};
  tell_servers();
  advance(seconds{12});
  BOOST_TEST(servers[0]->checks >= 1);
}
