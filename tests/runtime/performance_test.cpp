// What get_metrics() says of a snapshot: rates, and the CPU use of the time since the last look.
#include "understudy/runtime/client/performance.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(cpu_use_is_that_since_the_last_look) {
  const time_point start{1h};
  cpu_meter meter{10s, start};
  BOOST_TEST(meter.look(10s, start) == 0.0);
  BOOST_TEST(meter.look(12s, start + 4s) == 50.0);
  BOOST_TEST(meter.look(12s, start + 7s) == 0.0, "idle since");
  BOOST_TEST(meter.look(14s, start + 8s) == 200.0, "two cores");
}

BOOST_AUTO_TEST_CASE(a_look_that_follows_at_once_begins_no_interval) {
  const time_point start{1h};
  cpu_meter meter{0s, start};
  BOOST_TEST(meter.look(1s, start + 4s) == 25.0);
  for (int i = 1; i <= 9; ++i) BOOST_TEST(meter.look(1s + i * 50ms, start + 4s + i * 100ms) == 50.0);
  BOOST_TEST(meter.look(1500ms, start + 5s) == 50.0);
  BOOST_TEST(meter.look(1500ms, start + 5500ms) == 0.0);
}

BOOST_AUTO_TEST_CASE(rates_of_all_pools_together) {
  runtime_snapshot now;
  now.operations.total = 200;
  now.operations.succeeded = 150;
  now.operations.failed = 50;
  now.operations.failed_by_directory = 10;
  now.operations.last_minute = {20, 10};
  now.operations.last_five_minutes = {100, 25};
  now.servers.resize(2);
  now.servers[0].pool.acquired = 25;
  now.servers[0].pool.opened = 25;  // nobody waited for them
  now.servers[1].pool.dispatched = 75;
  now.servers[1].pool.fresh = 5;
  const auto seen = performance_of(now, {}, 12);
  BOOST_TEST(seen.successful_operations == 150U);
  BOOST_TEST(seen.failed_operations == 50U);
  BOOST_TEST(seen.directory_failures == 10U);
  BOOST_TEST(seen.success_rate == 95.0);
  BOOST_TEST(seen.success_rate_1m == 50.0);
  BOOST_TEST(seen.success_rate_5m == 75.0);
  BOOST_TEST(seen.connection_reuse_rate == 95.0);
  BOOST_TEST(seen.cpu_usage_percent == 12.0);
  BOOST_TEST(pool_metrics_of(now.servers[0].pool).reuse_rate == 100.0);
  const auto none = performance_of({}, {}, 0);
  BOOST_TEST(none.success_rate == 100.0);
  BOOST_TEST(none.success_rate_1m == 100.0);
  BOOST_TEST(none.connection_reuse_rate == 0.0);
}
