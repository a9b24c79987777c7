// Limits that are not kept are named with value and limit; what is at its limit is normal.
#include "understudy/runtime/client/thresholds.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

namespace {

runtime_snapshot calm() {
  runtime_snapshot s;
  // Long ago it was worse.
  s.operations.total = 1000;
  s.operations.failed = s.operations.failed_by_directory = 500;
  s.operations.last_five_minutes = {100, 5};
  for (const char* host : {"ldap1", "ldap2"}) {
    server_snapshot server;
    server.host = host;
    server.port = 389;
    server.pool.max_connections = 10;
    server.pool.now.in_use = 8;
    s.servers.push_back(server);
  }
  return s;
}

}  // namespace

BOOST_AUTO_TEST_CASE(values_at_their_limits_are_normal) {
  BOOST_TEST(check_thresholds(calm(), milliseconds{100}, {}).empty());
}

BOOST_AUTO_TEST_CASE(nothing_measured_is_normal) { BOOST_TEST(check_thresholds({}, duration::zero(), {}).empty()); }

BOOST_AUTO_TEST_CASE(slow_connects_are_named) {
  const auto found = check_thresholds(calm(), std::chrono::microseconds{150500}, {});
  BOOST_REQUIRE(found.size() == 1U);
  BOOST_TEST(found[0].message == "Connections take 150.5 ms on average to become ready, more than 100.0 ms.");
  BOOST_TEST(found[0].current_value == 150.5);
  BOOST_TEST(found[0].threshold == 100);
}

BOOST_AUTO_TEST_CASE(low_success_rate_is_named) {
  auto s = calm();
  s.operations.last_five_minutes = {100, 6};
  const auto found = check_thresholds(s, duration::zero(), {});
  BOOST_REQUIRE(found.size() == 1U);
  BOOST_TEST(found[0].message ==
             "The directory failed 6 of the 100 requests of the last five minutes: a success rate of 94.0 %, less than "
             "95.0 %.");
  BOOST_TEST(found[0].current_value == 94);
  BOOST_TEST(found[0].threshold == 95);
}

BOOST_AUTO_TEST_CASE(full_pool_is_named_beside_an_idle_one) {
  auto s = calm();
  s.servers[0].pool.now.in_use = 9;
  s.servers[1].pool.now.in_use = 0;
  const auto found = check_thresholds(s, duration::zero(), {});
  BOOST_REQUIRE(found.size() == 1U);
  BOOST_TEST(found[0].message == "The pool of ldap1:389 has 90.0 % of its connections in use, more than 80.0 %.");
  BOOST_TEST(found[0].current_value == 90);
  BOOST_TEST(found[0].threshold == 80);
}

BOOST_AUTO_TEST_CASE(limits_come_from_the_settings) {
  monitoring_settings m;
  m.max_connection_time = 5;
  m.min_success_rate = 99;
  m.max_pool_utilization = 50;
  BOOST_TEST(check_thresholds(calm(), milliseconds{6}, thresholds_of(m)).size() == 4U);
}
