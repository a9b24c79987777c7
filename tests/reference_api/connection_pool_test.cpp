// The reference's examples of connection_pool, run against a real server.
#include "understudy/runtime/connection_pool.hpp"
#include "reference_api/servers.hpp"
#include "understudy/config/problem.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(connection_pool_constructor) {
  const pool_options options;
  BOOST_TEST(options.min_connections == 5);
  BOOST_TEST(options.max_connections == 50);
  BOOST_TEST((options.timeout == 60s));
  BOOST_TEST((options.max_idle_time == 300s));
  BOOST_TEST((options.health_check_interval == 60s));
  BOOST_TEST(options.enable_metrics);
}

BOOST_AUTO_TEST_CASE(connection_pool_get_connection) {
  const reference_server server;
  connection_pool pool(server.info());
  {
    auto conn = pool.get_connection();
    BOOST_TEST(conn.search("dc=example,dc=com", "(uid=user1)").size() == 1u);
  }
  auto conn = pool.get_connection();
  BOOST_TEST(conn.search("dc=example,dc=com", "(uid=user1)").size() == 1u);
  BOOST_TEST(pool.return_connection(conn));
}

BOOST_AUTO_TEST_CASE(connection_pool_return_connection) {
  const reference_server server;
  connection_pool pool(server.info()), other(server.info());
  auto conn = pool.get_connection();
  BOOST_CHECK_THROW(other.return_connection(conn), connection_unhealthy);
  BOOST_TEST(pool.return_connection(conn));
  BOOST_TEST(!pool.return_connection(conn));
}

BOOST_AUTO_TEST_CASE(connection_pool_health_check) {
  const reference_server server;
  connection_pool pool(server.info());
  auto conn = pool.get_connection();
  BOOST_TEST(eventually([&] { return pool.snapshot().now.size >= 5u && pool.snapshot().now.connecting == 0u; }, 10s));
  const auto health_status = pool.health_check();
  BOOST_TEST(health_status.active_connections == 1u);
  BOOST_TEST(health_status.idle_connections >= 4u);
  BOOST_TEST(health_status.healthy_connections == health_status.idle_connections + health_status.active_connections);
  BOOST_TEST(health_status.unhealthy_connections == 0u);
}

BOOST_AUTO_TEST_CASE(connection_pool_get_metrics) {
  const reference_server server;
  connection_pool pool(server.info());
  for (int i = 0; i < 20; ++i) pool.get_connection().whoami();
  const auto metrics = pool.metrics();
  BOOST_TEST(metrics.pool_size >= 1u);
  BOOST_TEST(metrics.utilization >= 0.0);
  BOOST_TEST(metrics.reuse_rate > 0.0);
  BOOST_TEST(metrics.avg_acquisition_time >= 0.0);
  BOOST_TEST(metrics.acquired == 20u);
  BOOST_TEST(metrics.acquired == metrics.released + metrics.leased);
}

BOOST_AUTO_TEST_CASE(connection_pool_cleanup) {
  const reference_server server;
  pool_options options;
  options.min_connections = 1;
  connection_pool pool(server.info(), options);
  {
    std::vector<lease> held;
    for (int i = 0; i < 4; ++i) held.push_back(pool.get_connection());
  }
  BOOST_TEST(eventually([&] { return pool.snapshot().now.idle >= 4u; }, 10s));
  const auto cleaned_count = pool.cleanup();
  BOOST_TEST(cleaned_count >= 3);
}

BOOST_AUTO_TEST_CASE(development_environment) {
  const reference_server server;
  pool_options options;
  options.min_connections = 2;
  options.max_connections = 5;
  options.timeout = 10s;
  options.max_idle_time = 60s;
  connection_pool dev_pool(server.info(), options);
  BOOST_TEST(dev_pool.whoami() == "dn:cn=admin,dc=example,dc=com");
  BOOST_TEST(dev_pool.snapshot().max_connections == 5u);
}

BOOST_AUTO_TEST_CASE(production_environment) {
  const reference_server server;
  pool_options options;
  options.min_connections = 10;
  options.max_connections = 100;
  options.timeout = 60s;
  options.max_idle_time = 300s;
  options.health_check_interval = 30s;
  connection_pool prod_pool(server.info(), options);
  BOOST_TEST(prod_pool.whoami() == "dn:cn=admin,dc=example,dc=com");
  BOOST_TEST(eventually([&] { return prod_pool.get_metrics().pool_size >= 10u; }, 10s));
}

BOOST_AUTO_TEST_CASE(high_performance_environment) {
  const reference_server server;
  pool_options options;
  options.min_connections = 25;
  options.max_connections = 200;
  options.timeout = 90s;
  options.max_idle_time = 600s;
  options.preload_connections = true;
  options.enable_compression = true;
  connection_pool hp_pool(server.info(), options);
  BOOST_TEST(eventually([&] { return hp_pool.get_metrics().pool_size >= 25u; }, 10s));
  BOOST_TEST(hp_pool.whoami() == "dn:cn=admin,dc=example,dc=com");
}

BOOST_AUTO_TEST_CASE(pool_errors) {
  const reference_server server;
  pool_options options;
  options.min_connections = 1;
  options.max_connections = 2;
  const auto attempt = [](connection_pool& pool, const lease_options& how) -> std::string {
    try {
      auto conn = pool.get_connection(how);
      return "leased";
    } catch (const pool_exhausted&) {
      return "exhausted";
    } catch (const pool_timeout&) {
      return "timeout";
    } catch (const connection_unhealthy&) {
      return "unhealthy";
    }
  };
  connection_pool pool(server.info(), options);
  lease_options patient, hasty;
  patient.timeout = 100ms;
  hasty.wait = false;
  std::vector<lease> held;
  held.push_back(pool.get_connection());
  // One of two sockets may be the health monitor's: fill what is left.
  while (true) {
    try {
      held.push_back(pool.get_connection(patient));
    } catch (const pool_timeout&) {
      break;
    }
  }
  BOOST_TEST(attempt(pool, hasty) == "exhausted");
  BOOST_TEST(attempt(pool, patient) == "timeout");
  held.clear();
  BOOST_TEST(attempt(pool, {}) == "leased");
}
