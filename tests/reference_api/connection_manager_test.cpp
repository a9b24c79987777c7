// The reference's examples of connection_manager, run against a real server.
#include "reference_api/servers.hpp"
#include "support/print.hpp"

#include <boost/test/unit_test.hpp>
#include <iostream>

using namespace understudy;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(classes_overview_names_exist) {
  static_assert(std::is_same_v<ldap_connection_manager, connection_manager>);
  static_assert(std::is_same_v<connection_context, lease>);
  static_assert(std::is_same_v<ldap_connection_result, connection_result>);
  static_assert(std::is_same_v<ldap_performance_result, performance_result>);
  static_assert(std::is_same_v<ldap_validation_result, validation_result>);
  static_assert(std::is_base_of_v<ldap_exception, ssl_error>);
  static_assert(std::is_base_of_v<ldap_exception, connection_timeout>);
  static_assert(std::is_base_of_v<ldap_exception, authentication_failed>);
  static_assert(std::is_base_of_v<authentication_failed, service_authentication_failed>);
  static_assert(std::is_base_of_v<ldap_exception, pool_exhausted>);
  static_assert(std::is_base_of_v<ldap_exception, pool_timeout>);
  static_assert(std::is_base_of_v<ldap_exception, connection_unhealthy>);
  BOOST_TEST(true);
}

BOOST_AUTO_TEST_CASE(connection_manager_constructor) {
  const manager_options options;
  BOOST_TEST(options.use_pool);
  BOOST_TEST((options.health_check_interval == 60s));
  BOOST_TEST(options.enable_monitoring);
  const reference_server server;
  connection_manager manager(server.info(), options);
  BOOST_TEST(!manager.is_connected());
}

BOOST_AUTO_TEST_CASE(connection_manager_connect) {
  const reference_server server;
  connection_manager manager(server.info());
  const auto result = manager.connect();
  BOOST_TEST(result.connected, result.connection_error);
  BOOST_TEST(result.host == "127.0.0.1");
  BOOST_TEST(result.port == server.port());
  BOOST_TEST(result.connection_time > 0.0);
  BOOST_TEST(result.auth_method == "simple");
  BOOST_TEST(result.encryption == "none");
  BOOST_TEST(result.connection_error.empty());

  auto wrong = server.info();
  wrong.password = "wrong";
  connection_manager refused(wrong);
  const auto failed = refused.connect();
  BOOST_TEST(!failed.connected);
  BOOST_TEST(failed.auth_error.find("invalidCredentials") != std::string::npos, failed.auth_error);
}

BOOST_AUTO_TEST_CASE(connection_manager_disconnect) {
  const reference_server server;
  connection_manager manager(server.info());
  BOOST_TEST(!manager.disconnect());
  manager.connect();
  BOOST_TEST(manager.disconnect());
  BOOST_TEST(!manager.is_connected());
}

BOOST_AUTO_TEST_CASE(connection_manager_is_connected) {
  const reference_server server;
  connection_manager manager(server.info());
  BOOST_TEST(!manager.is_connected());
  manager.connect();
  BOOST_TEST(manager.is_connected());
}

BOOST_AUTO_TEST_CASE(connection_manager_get_connection) {
  const reference_server server;
  connection_manager manager(server.info());
  manager.connect();
  const auto before = manager.snapshot().servers.at(0).pool.acquired;
  {
    auto conn = manager.get_connection();
    BOOST_TEST(static_cast<bool>(conn));
    BOOST_TEST(conn.whoami() == "dn:cn=admin,dc=example,dc=com");
  }
  const auto pool = manager.snapshot().servers.at(0).pool;
  BOOST_TEST(pool.acquired == before + 1);
  BOOST_TEST(pool.acquired == pool.released + pool.leased);
}

BOOST_AUTO_TEST_CASE(connection_manager_health_check) {
  const reference_server server;
  connection_manager manager(server.info());
  manager.connect();
  const auto health_result = manager.health_check();
  BOOST_TEST(health_result.connected, health_result.connection_error);
  BOOST_TEST(health_result.response_time > 0.0);
  // The last operation before the check; the check itself is none.
  BOOST_TEST(!health_result.last_activity.has_value());
  manager.whoami();
  BOOST_TEST(manager.health_check().last_activity.has_value());
}

BOOST_AUTO_TEST_CASE(connection_manager_get_metrics) {
  const reference_server server;
  connection_manager manager(server.info());
  manager.connect();
  for (int i = 0; i < 10; ++i) manager.search("dc=example,dc=com", "(uid=user1)");
  const auto metrics = manager.get_metrics();
  BOOST_TEST(metrics.total_operations == 10u);
  BOOST_TEST(metrics.success_rate == 100.0);
  BOOST_TEST(metrics.average_duration > 0.0);
  BOOST_TEST(metrics.pool_utilization >= 0.0);
}

BOOST_AUTO_TEST_CASE(automatic_reconnection) {
  reference_server server;
  manager_options options;
  options.auto_reconnect = true;
  options.reconnect_attempts = 5;
  options.reconnect_delay = 2s;
  connection_manager manager(server.info(), options);
  BOOST_TEST(manager.connect().connected);
  server.restart();
  BOOST_TEST(manager.search("dc=example,dc=com", "(uid=user1)").size() == 1u);
}

BOOST_AUTO_TEST_CASE(connection_failover) {
  reference_server a, b, c;
  auto manager = connection_manager::with_failover({a.info(), b.info(), c.info()});
  BOOST_TEST(manager.connect().port == a.port());
  a.kill();
  const auto answer = manager.try_search(search_for("(uid=user1)"));
  BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
  BOOST_TEST(answer->server == "127.0.0.1:" + std::to_string(b.port()));
}

BOOST_AUTO_TEST_CASE(connection_metrics) {
  const reference_server server;
  manager_options options;
  options.enable_monitoring = true;
  connection_manager manager(server.info(), options);
  manager.connect();
  manager.search("dc=example,dc=com", "(uid=user1)");
  BOOST_CHECK_THROW(manager.search("dc=nowhere", "(uid=user1)"), ldap_error);
  const auto metrics = manager.get_metrics();
  BOOST_TEST(metrics.total_operations == 2u);
  BOOST_TEST(metrics.successful_operations == 1u);
  BOOST_TEST(metrics.failed_operations == 1u);
  // The directory has answered: a name that is not there is no failure of it.
  BOOST_TEST(metrics.success_rate == 100.0);
  BOOST_TEST(metrics.average_duration > 0.0);
  BOOST_TEST(metrics.pool_size >= 1u);
  BOOST_TEST(metrics.pool_utilization >= 0.0);
  BOOST_TEST(metrics.connection_reuse_rate >= 0.0);
  BOOST_TEST(metrics.memory_peak_mb > 1.0);
  BOOST_TEST(metrics.cpu_usage_percent >= 0.0);
}

BOOST_AUTO_TEST_CASE(performance_alerting) {
  reference_server server;
  connection_manager manager(server.info());
  manager.connect();
  performance_thresholds limits;
  limits.max_connection_time = 60000;
  limits.min_success_rate = 95;
  limits.max_pool_utilization = 100;
  manager.set_thresholds(limits);
  BOOST_TEST(manager.check_performance().empty());

  // An answer, and no failure of the directory.
  BOOST_CHECK_THROW(manager.search("dc=nowhere", "(uid=user1)"), ldap_error);
  BOOST_TEST(manager.check_performance().empty());
  server.kill();
  BOOST_TEST(!manager.try_search(search_for(), {200ms}));
  const auto alerts = manager.check_performance();
  BOOST_TEST_REQUIRE(alerts.size() == 1u);
  BOOST_TEST(alerts[0].message.find("success rate of 50.0 %") != std::string::npos, alerts[0].message);
  BOOST_TEST(alerts[0].current_value == 50.0);
  BOOST_TEST(alerts[0].threshold == 95.0);
}

BOOST_AUTO_TEST_CASE(basic_connection) {
  const reference_server server;
  connection_info info;
  info.host = "127.0.0.1";
  info.port = server.port();
  info.bind_dn = "cn=admin,dc=example,dc=com";
  info.password = "secret";
  ldap_connection_manager manager(info);
  const auto result = manager.connect();
  BOOST_TEST_REQUIRE(result.connected, result.connection_error);
  {
    connection_context conn = manager.get_connection();
    BOOST_TEST(conn.search("dc=example,dc=com", "(uid=user2)").size() == 1u);
  }
  BOOST_TEST(manager.disconnect());
}

BOOST_AUTO_TEST_CASE(production_configuration) {
  const reference_server server;
  auto info = server.ldaps_info();
  info.timeout = 30s;
  info.max_retries = 3;
  info.pool_size = 20;
  info.max_pool_size = 100;
  info.validate_cert = true;
  manager_options options;
  options.use_pool = true;
  options.health_check_interval = 30s;
  options.enable_monitoring = true;
  connection_manager manager(info, options);
  manager.start_monitoring();
  const auto result = manager.connect();
  BOOST_TEST(result.connected, result.connection_error);
  BOOST_TEST(manager.search("dc=example,dc=com", "(uid=user3)").size() == 1u);
  manager.stop_monitoring();
  BOOST_TEST(manager.disconnect());
}

BOOST_AUTO_TEST_CASE(high_availability_setup) {
  reference_server a, b, c;
  auto first = a.info(), second = b.info(), third = c.info();
  first.priority = 1;
  second.priority = 2;
  third.priority = 3;
  ha_options options;
  options.failover_timeout = 5s;
  options.health_check_interval = 10s;
  options.auto_failback = true;
  auto manager = connection_manager::create_ha_cluster({first, second, third}, options);
  const auto result = manager.connect();
  BOOST_TEST(result.connected, result.connection_error);
  a.kill();
  b.kill();
  const auto answer = manager.try_search(search_for("(uid=user1)"));
  BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
  BOOST_TEST(answer->server == "127.0.0.1:" + std::to_string(c.port()));
}

BOOST_AUTO_TEST_CASE(connection_errors) {
  const auto classify_error = [](connection_manager& manager) -> std::string {
    try {
      const auto result = manager.connect();
      if (!result.connected && !result.auth_error.empty()) return "auth";
      if (!result.connected) return result.connection_error.empty() ? "silent" : "connection";
      manager.search("dc=nowhere", "(uid=x)");
      return "connected";
    } catch (const connection_timeout&) {
      return "timeout";
    } catch (const authentication_failed&) {
      return "authentication";
    } catch (const ssl_error&) {
      return "ssl";
    } catch (const ldap_exception& e) {
      return "ldap " + std::to_string(e.reason().ldap_code);
    }
  };
  reference_server server;
  manager_options once;
  once.auto_reconnect = false;
  connection_manager good(server.info(), once);
  BOOST_TEST(classify_error(good) == "ldap 32");
  auto wrong = server.info();
  wrong.password = "wrong";
  connection_manager refused(wrong, once);
  BOOST_TEST(classify_error(refused) == "auth");
  BOOST_CHECK_THROW(refused.search("dc=example,dc=com", "(uid=user1)"), authentication_failed);
  // Nobody's users are to be told "wrong password" for that.
  BOOST_CHECK_THROW(refused.search("dc=example,dc=com", "(uid=user1)"), service_authentication_failed);
  auto unknown_ca = server.ldaps_info();
  unknown_ca.ca_cert_path.clear();
  connection_manager untrusted(unknown_ca, once);
  BOOST_TEST(classify_error(untrusted) == "connection");
  const auto down = server.info();
  server.kill();
  connection_manager unreachable(down, once);
  BOOST_TEST(classify_error(unreachable) == "connection");
  BOOST_CHECK_THROW(unreachable.search("dc=example,dc=com", "(uid=user1)"), ldap_exception);
}

BOOST_AUTO_TEST_CASE(automatic_error_recovery) {
  reference_server server;
  manager_options options;
  options.auto_recovery = true;
  options.recovery_attempts = 3;
  options.recovery_delay = 5s;
  options.circuit_breaker_threshold = 5;
  connection_manager manager(server.info(), options);
  BOOST_TEST(manager.connect().connected);
  server.kill();
  BOOST_TEST(!manager.try_search(search_for(), {200ms}));
  server.restart();
  BOOST_TEST(server.eventually_serves(manager));
}

BOOST_AUTO_TEST_CASE(best_practice_1_always_use_connection_pooling) {
  const reference_server server;
  manager_options pooled, single;
  pooled.use_pool = true;
  single.use_pool = false;
  connection_manager good(server.info(), pooled);
  connection_manager bad(server.info(), single);
  BOOST_TEST(good.connect().connected);
  BOOST_TEST(bad.connect().connected);
  for (int i = 0; i < 3; ++i) BOOST_TEST(bad.search("dc=example,dc=com", "(uid=user1)").size() == 1u);
  BOOST_TEST(bad.snapshot().servers.at(0).pool.opened == 1u);
}

BOOST_AUTO_TEST_CASE(best_practice_2_use_context_managers) {
  const reference_server server;
  connection_manager manager(server.info());
  manager.connect();
  {
    auto conn = manager.get_connection();
    conn.search("dc=example,dc=com", "(uid=user1)");
  }
  auto conn = manager.get_connection();
  conn.search("dc=example,dc=com", "(uid=user1)");
  BOOST_TEST(manager.return_connection(conn));
  BOOST_TEST(!manager.return_connection(conn));
}

BOOST_AUTO_TEST_CASE(best_practice_3_enable_ssl_tls) {
  const reference_server server;
  connection_manager secure(server.ldaps_info());
  BOOST_TEST(secure.connect().encryption != "none");
  connection_manager plain(server.info());
  BOOST_TEST(plain.connect().encryption == "none");
}

BOOST_AUTO_TEST_CASE(best_practice_4_monitor_performance) {
  const reference_server server;
  manager_options options;
  options.enable_monitoring = true;
  options.health_check_interval = 30s;
  connection_manager manager(server.info(), options);
  manager.connect();
  manager.whoami();
  BOOST_TEST(manager.get_metrics().success_rate >= 95.0);
}

BOOST_AUTO_TEST_CASE(best_practice_5_handle_errors_gracefully) {
  reference_server server;
  const auto info = server.info();
  server.kill();
  manager_options once;
  once.auto_reconnect = false;
  connection_manager manager(info, once);
  const auto result = manager.connect();
  BOOST_TEST(!result.connected);
  BOOST_TEST(result.connection_error.find("127.0.0.1:" + std::to_string(info.port)) != std::string::npos,
             result.connection_error);
}
