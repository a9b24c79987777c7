// The facade against a real directory server: connecting, operations, leases, metrics, starting and stopping.
#include "runtime/process_counts.hpp"
#include "support/eventually.hpp"
#include "support/print.hpp"
#include "support/slapd.hpp"
#include "understudy/config/settings_from.hpp"
#include "understudy/runtime/connection_pool.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;
using test::eventually;

namespace {

connection_info info_of(const test::slapd& server) {
  connection_info info;
  info.host = "127.0.0.1";
  info.port = server.port();
  info.bind_dn = test::admin_dn;
  info.password = secret{test::admin_password};
  return info;
}

/// A port where nobody listens.
connection_info nobody() {
  connection_info info;
  info.host = "127.0.0.1";
  info.port = test::reserved_port{}.number();
  return info;
}

search_request read(std::string dn) {
  search_request what;
  what.base = std::move(dn);
  what.scope = search_scope::base;
  return what;
}

/// Threads that look at thresholds.
int watchers() {
  int found = 0;
  for (const auto& thread : std::filesystem::directory_iterator{"/proc/self/task"}) {
    std::string name;
    std::getline(std::ifstream{thread.path() / "comm"}, name);
    found += name == "us.watch";
  }
  return found;
}

manager_options impatient() {
  manager_options options;
  options.reconnect_attempts = 2;
  options.reconnect_delay = 10ms;
  options.auto_recovery = false;
  return options;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_search_through_the_facade_finds_the_entry) {
  test::slapd server;
  connection_manager manager(info_of(server));
  const auto connected = manager.connect();
  BOOST_TEST(connected.connected, connected.connection_error << connected.auth_error);
  BOOST_TEST(connected.host == "127.0.0.1");
  BOOST_TEST(connected.port == server.port());
  BOOST_TEST(connected.connection_time > 0);
  BOOST_TEST(connected.response_time > 0);
  BOOST_TEST(connected.auth_method == "simple");
  BOOST_TEST(connected.encryption == "none");
  BOOST_TEST(manager.is_connected());
  const auto found = manager.search(test::directory_suffix, "(uid=user7)", {"mail"});
  BOOST_REQUIRE_EQUAL(found.size(), 1);
  BOOST_TEST(found[0].dn == test::user_dn(7));
  BOOST_TEST(manager.disconnect());
  BOOST_TEST(!manager.is_connected());
  BOOST_TEST(!manager.disconnect());
}

BOOST_AUTO_TEST_CASE(connecting_to_nobody_is_a_result_with_the_reason) {
  connection_manager manager(nobody(), impatient());
  const auto result = manager.connect();
  BOOST_TEST(!result.connected);
  BOOST_TEST(result.auth_error.empty());
  BOOST_TEST(result.connection_error.find("refused") != std::string::npos, result.connection_error);
  BOOST_TEST_REQUIRE(result.failed != nullptr);
  BOOST_TEST(describe(*result.failed) == result.connection_error);
  BOOST_TEST((result.failed->code == errc::connection_failed));
  BOOST_TEST(!manager.is_connected());
}

BOOST_AUTO_TEST_CASE(a_wrong_password_ends_connecting_at_once) {
  test::slapd server;
  auto info = info_of(server);
  info.password = secret{"wrong"};
  manager_options options;
  options.reconnect_attempts = 1000;
  connection_manager manager(info, options);
  const auto result = manager.connect();
  BOOST_TEST(!result.connected);
  BOOST_TEST(result.connection_error.empty(), result.connection_error);
  BOOST_TEST(result.auth_error.find("invalidCredentials") != std::string::npos, result.auth_error);
  BOOST_TEST(result.auth_error.find("wrong") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(background_repair_goes_on_after_a_connect_that_failed) {
  test::slapd server;
  server.stop();
  connection_manager manager(info_of(server), impatient());
  BOOST_TEST(!manager.connect().connected);
  server.start();
  BOOST_TEST(eventually([&] { return manager.is_connected(); }));
  BOOST_TEST(eventually([&] { return static_cast<bool>(manager.try_whoami()); }));
}

BOOST_AUTO_TEST_CASE(without_connect_every_call_says_so) {
  connection_manager manager(nobody(), impatient());
  BOOST_TEST(manager.try_whoami().code() == errc::stopped);
  BOOST_TEST(manager.async(make_request(whoami_request{})).get().code() == errc::stopped);
  BOOST_CHECK_THROW(manager.get_connection(), ldap_exception);
  BOOST_TEST(!manager.health_check().connected);
  BOOST_TEST(manager.probe_all().empty());
  BOOST_TEST(!manager.suspend("127.0.0.1:389"));
  BOOST_TEST(manager.get_metrics().total_operations == 0U);
}

BOOST_AUTO_TEST_CASE(settings_that_cannot_work_are_reported_by_the_constructor) {
  connection_info info = nobody();
  info.use_ssl = info.use_tls = true;
  info.host = "";
  BOOST_CHECK_THROW(connection_manager{info}, config_error);
  pool_options options;
  options.max_connections = 0;
  BOOST_CHECK_THROW(connection_pool(nobody(), options), config_error);
}

BOOST_AUTO_TEST_CASE(every_operation_goes_through_the_facade) {
  test::slapd server;
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  const std::string dn = std::string{"uid=new,"} + test::people_dn;
  manager.add({dn, {{"objectClass", {"inetOrgPerson"}}, {"cn", {"New"}}, {"sn", {"Person"}}}});
  manager.modify({dn, {{modification::kind::replace, {"mail", {"new@example.com"}}}}});
  BOOST_TEST(manager.compare({dn, "mail", "new@example.com"}));
  BOOST_TEST(!manager.compare({dn, "mail", "old@example.com"}));
  manager.modify_dn({dn, "uid=newer", true, {}});
  const std::string newer = std::string{"uid=newer,"} + test::people_dn;
  BOOST_TEST(manager.search(read(newer)).entries.size() == 1U);
  manager.remove({newer});
  const auto gone = manager.try_search(read(newer));
  BOOST_TEST(gone.code() == errc::ldap_error);
  BOOST_TEST(gone.error()->ldap_code == result_code::no_such_object);
  BOOST_CHECK_THROW(manager.search(read(newer)), ldap_error);
  BOOST_TEST(manager.whoami() == std::string{"dn:"} + test::admin_dn);
  manager.bind({test::user_dn(3), secret{test::user_password(3)}});
  BOOST_CHECK_THROW(manager.bind({test::user_dn(3), secret{"wrong"}}), authentication_failed);
  const auto generated = manager.password_modify({test::user_dn(4), secret{}, secret{}});
  BOOST_REQUIRE(generated.has_value());
  manager.bind({test::user_dn(4), secret{*generated}});
  BOOST_TEST(manager.whoami() == std::string{"dn:"} + test::admin_dn);
}

BOOST_AUTO_TEST_CASE(futures_and_callbacks_bring_the_same_results) {
  test::slapd server;
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  std::vector<std::future<outcome>> searches;
  for (int i = 0; i < 50; ++i) searches.push_back(manager.async_search(read(test::user_dn(i % 10))));
  for (auto& search : searches) BOOST_TEST(search.get().value().entries.size() == 1U);
  std::promise<outcome> called;
  manager.async_search(read(test::user_dn(1)), [&](outcome o) { called.set_value(std::move(o)); });
  BOOST_TEST(called.get_future().get().value().entries.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_lease_is_a_connection_of_ones_own_and_returns_by_itself) {
  test::slapd server;
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  {
    auto mine = manager.get_connection();
    BOOST_TEST(static_cast<bool>(mine));
    BOOST_TEST(mine.server() == "127.0.0.1:" + std::to_string(server.port()));
    mine.bind({test::user_dn(2), secret{test::user_password(2)}});
    BOOST_TEST(mine.whoami() == "dn:" + test::user_dn(2));
    BOOST_TEST(manager.whoami() == std::string{"dn:"} + test::admin_dn);
    BOOST_TEST(manager.snapshot().servers.at(0).pool.leased == 1U);
  }
  BOOST_TEST(eventually([&] {
    const auto pool = manager.snapshot().servers.at(0).pool;
    return pool.leased == 0 && pool.acquired == pool.released;
  }));
  const std::string identity = std::string{"dn:"} + test::admin_dn;
  for (int i = 0; i < 20; ++i) BOOST_TEST(manager.get_connection().whoami() == identity);
}

BOOST_AUTO_TEST_CASE(leases_used_wrongly_are_clear_errors) {
  test::slapd server;
  connection_manager manager(info_of(server)), other(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  BOOST_REQUIRE(other.connect().connected);
  auto mine = manager.get_connection();
  BOOST_CHECK_THROW(other.return_connection(mine), connection_unhealthy);
  BOOST_TEST(static_cast<bool>(mine));
  BOOST_TEST(manager.return_connection(mine));
  BOOST_TEST(!manager.return_connection(mine));
  BOOST_TEST(!mine.release());
  BOOST_TEST(mine.try_whoami().code() == errc::invalid_lease);
  BOOST_CHECK_THROW(mine.whoami(), connection_unhealthy);

  auto outlives = manager.get_connection();
  manager.disconnect();
  BOOST_TEST(!static_cast<bool>(outlives));
  BOOST_TEST(outlives.try_whoami().code() == errc::invalid_lease);
  BOOST_TEST(!outlives.release());
}

BOOST_AUTO_TEST_CASE(a_pool_with_nothing_free_says_so) {
  test::slapd server;
  pool_options options;
  options.min_connections = options.max_connections = 1;
  connection_pool pool(info_of(server), options);
  auto only = pool.get_connection();
  lease_options at_once;
  at_once.wait = false;
  BOOST_CHECK_THROW(pool.get_connection(at_once), pool_exhausted);
  lease_options soon;
  soon.timeout = 50ms;
  BOOST_CHECK_THROW(pool.get_connection(soon), pool_timeout);
  BOOST_TEST(pool.return_connection(only));
  BOOST_TEST(static_cast<bool>(pool.get_connection()));
  BOOST_TEST(pool.get_metrics().acquired == 2U);
  BOOST_TEST(pool.get_metrics().pool_size == 1U);
  const auto health = pool.health_check();
  BOOST_TEST(health.healthy_connections == 1U);
  BOOST_TEST(health.unhealthy_connections == 0U);
}

BOOST_AUTO_TEST_CASE(a_leased_connection_that_breaks_is_unhealthy) {
  test::slapd server;
  connection_manager manager(info_of(server), impatient());
  BOOST_REQUIRE(manager.connect().connected);
  auto mine = manager.get_connection();
  server.kill9();
  BOOST_TEST(eventually([&] { return mine.try_whoami({1s}).code() == errc::connection_unhealthy; }));
}

BOOST_AUTO_TEST_CASE(metrics_and_thresholds_tell_what_happened) {
  test::slapd server;
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  for (int i = 0; i < 8; ++i) manager.search(read(test::user_dn(1)));
  for (int i = 0; i < 2; ++i) manager.try_search(read("cn=nobody"));
  const auto metrics = manager.get_metrics();
  BOOST_TEST(metrics.total_operations == 10U);
  BOOST_TEST(metrics.successful_operations == 8U);
  // The directory has answered.
  BOOST_TEST(metrics.directory_failures == 0U);
  BOOST_TEST(metrics.success_rate == 100.0);
  BOOST_TEST(metrics.average_duration > 0);
  BOOST_TEST(metrics.memory_peak_mb > 1);
  BOOST_TEST(metrics.pool_size > 0U);
  manager.set_thresholds({1e6, 95, 100});
  BOOST_TEST(manager.check_performance().empty());
  server.pause();
  for (int i = 0; i < 10; ++i) BOOST_TEST(!manager.try_search(read(test::user_dn(1)), {50ms}));
  BOOST_TEST(manager.get_metrics().directory_failures == 10U);
  BOOST_TEST(manager.get_metrics().success_rate_1m == 50.0);
  const auto alerts = manager.check_performance();
  BOOST_REQUIRE_EQUAL(alerts.size(), 1);
  BOOST_TEST(alerts[0].current_value == 50.0);
  BOOST_TEST(alerts[0].threshold == 95.0);
  server.resume();
}

BOOST_AUTO_TEST_CASE(wrong_passwords_of_users_are_no_failures_of_the_directory) {
  test::slapd server;
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  for (int i = 0; i < 5; ++i)
    BOOST_TEST((manager.try_bind({test::user_dn(1), "wrong"}).code() == errc::authentication_failed));
  const auto metrics = manager.get_metrics();
  BOOST_TEST(metrics.failed_operations == 5U);
  BOOST_TEST(metrics.success_rate == 100.0);
  BOOST_TEST(metrics.success_rate_5m == 100.0);
}

BOOST_AUTO_TEST_CASE(failed_connects_and_leases_count_and_raise_an_alert) {
  connection_manager manager(nobody(), impatient());
  BOOST_TEST(!manager.connect(2s).connected);
  auto metrics = manager.get_metrics();
  BOOST_TEST(metrics.total_operations == 1U);
  BOOST_TEST(metrics.failed_operations == 1U);
  BOOST_TEST(metrics.success_rate == 0.0);
  lease_options soon;
  soon.timeout = 200ms;
  for (int i = 0; i < 3; ++i) BOOST_CHECK_THROW(manager.get_connection(soon), ldap_exception);
  metrics = manager.get_metrics();
  BOOST_TEST(metrics.total_operations == 4U);
  BOOST_TEST(metrics.failed_operations == 4U);
  BOOST_TEST(metrics.directory_failures == 4U);
  BOOST_TEST(metrics.success_rate_1m == 0.0);
  const auto alerts = manager.check_performance();
  BOOST_REQUIRE_EQUAL(alerts.size(), 1);
  BOOST_TEST(alerts[0].current_value == 0.0);
  BOOST_TEST(alerts[0].threshold == 95.0);
}

BOOST_AUTO_TEST_CASE(without_metrics_nothing_is_counted) {
  test::slapd server;
  settings all = settings_from({info_of(server)});
  all.pool.enable_metrics = false;
  connection_manager manager(all);
  BOOST_REQUIRE(manager.connect().connected);
  for (int i = 0; i < 3; ++i) manager.search(read(test::user_dn(1)));
  auto metrics = manager.get_metrics();
  BOOST_TEST(metrics.total_operations == 0U);
  BOOST_TEST(metrics.average_duration == 0.0);
  BOOST_TEST(metrics.connection_reuse_rate == 0.0);
  BOOST_TEST(metrics.pool_size > 0U);  // a state, no count
  // A change takes a restart.
  all.pool.enable_metrics = true;
  manager.reload(all);
  manager.search(read(test::user_dn(1)));
  BOOST_TEST(manager.get_metrics().total_operations == 0U);
  manager.disconnect();
  BOOST_REQUIRE(manager.connect().connected);
  manager.search(read(test::user_dn(1)));
  BOOST_TEST(manager.get_metrics().total_operations == 1U);

  pool_options off;
  off.enable_metrics = false;
  connection_pool pool(info_of(server), off);
  { auto mine = pool.get_connection(); }
  BOOST_TEST(pool.get_metrics().acquired == 0U);
  BOOST_TEST(pool.get_metrics().reuse_rate == 0.0);
  BOOST_TEST(pool.get_metrics().avg_acquisition_time == 0.0);
}

BOOST_AUTO_TEST_CASE(leases_on_preloaded_connections_are_all_reuse) {
  test::slapd server;
  pool_options options;
  options.min_connections = 25;
  options.preload_connections = true;
  connection_pool pool(info_of(server), options);
  BOOST_REQUIRE(eventually([&] { return pool.snapshot().now.idle >= 25; }));
  std::vector<lease> held;
  for (int i = 0; i < 25; ++i) held.push_back(pool.get_connection());
  BOOST_TEST(pool.get_metrics().reuse_rate == 100.0);
  BOOST_TEST(pool.get_metrics().acquired == 25U);
}

BOOST_AUTO_TEST_CASE(without_a_pool_a_second_lease_gets_a_new_connection) {
  test::slapd server;
  manager_options options;
  options.use_pool = false;
  connection_manager manager(info_of(server), options);
  BOOST_REQUIRE(manager.connect().connected);
  auto first = manager.get_connection();
  lease_options soon;
  soon.timeout = 2s;
  auto second = manager.get_connection(soon);
  BOOST_TEST(first.whoami() == second.whoami());
  BOOST_TEST(manager.whoami() == first.whoami());
  BOOST_TEST(manager.snapshot().servers.at(0).pool.now.size == 3U);
  BOOST_TEST(manager.return_connection(second));
  BOOST_TEST(manager.return_connection(first));
  BOOST_TEST(eventually([&] { return manager.snapshot().servers.at(0).pool.now.size == 1U; }));
}

BOOST_AUTO_TEST_CASE(the_last_activity_is_that_before_the_check) {
  test::slapd server;
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  const auto before = std::chrono::system_clock::now();
  manager.search(read(test::user_dn(1)));
  const auto after = std::chrono::system_clock::now();
  manager.try_search(read("cn=nobody"));  // answered with an error: the last that succeeded counts
  for (int i = 0; i < 2; ++i) {
    const auto seen = manager.health_check();
    BOOST_REQUIRE(seen.last_activity.has_value());
    BOOST_TEST((*seen.last_activity >= before && *seen.last_activity <= after));
  }
}

BOOST_AUTO_TEST_CASE(monitoring_logs_alerts_in_the_background_until_stopped) {
  test::slapd server;
  manager_options options;
  options.health_check_interval = 1s;
  connection_manager manager(info_of(server), options);
  std::mutex mutex;
  std::string logged;
  manager.set_log([&](log_level, const std::string& line) {
    std::lock_guard guard{mutex};
    logged += line + "\n";
  });
  manager.set_thresholds({1e-6, 95, 100});
  const auto alerts = [&] {
    std::lock_guard guard{mutex};
    std::size_t found = 0;
    for (auto at = logged.find("warning monitoring: "); at != std::string::npos;
         at = logged.find("warning monitoring: ", at + 1))
      ++found;
    return found;
  };
  const auto logs_another = [&] { return eventually([&, before = alerts()] { return alerts() > before; }); };
  // Of itself: enable_monitoring is the default.
  BOOST_REQUIRE(manager.connect().connected);
  BOOST_TEST(logs_another());
  BOOST_TEST(watchers() == 1);
  manager.stop_monitoring();
  BOOST_TEST(watchers() == 0);
  manager.disconnect();
  BOOST_REQUIRE(manager.connect().connected);
  BOOST_TEST(watchers() == 0);
  manager.start_monitoring();
  BOOST_TEST(logs_another());
  manager.disconnect();
  BOOST_TEST(watchers() == 0);
}

BOOST_AUTO_TEST_CASE(without_enable_monitoring_nothing_is_watched) {
  test::slapd server;
  manager_options options;
  options.enable_monitoring = false;
  connection_manager manager(info_of(server), options);
  BOOST_REQUIRE(manager.connect().connected);
  manager.start_monitoring();
  BOOST_TEST(watchers() == 0);
}

BOOST_AUTO_TEST_CASE(health_checks_probe_the_servers_step_by_step) {
  test::slapd server;
  connection_manager manager(info_of(server), impatient());
  BOOST_REQUIRE(manager.connect().connected);
  const auto healthy = manager.health_check();
  BOOST_TEST(healthy.connected, healthy.connection_error);
  BOOST_TEST(healthy.connection_time > 0);
  BOOST_TEST(healthy.response_time > 0);
  const auto reports = manager.probe_all();
  BOOST_REQUIRE_EQUAL(reports.size(), 1);
  BOOST_TEST(reports[0].ok);
  const auto without_limit = manager.probe_all(duration::max());
  BOOST_REQUIRE_EQUAL(without_limit.size(), 1);
  BOOST_TEST(without_limit[0].ok);
  server.kill9();
  const auto sick = manager.health_check();
  BOOST_TEST(!sick.connected);
  BOOST_TEST(!sick.connection_error.empty());
}

BOOST_AUTO_TEST_CASE(when_the_first_server_dies_the_second_serves) {
  test::slapd first, second;
  auto manager = connection_manager::with_failover({info_of(first), info_of(second)});
  BOOST_REQUIRE(manager.connect().connected);
  const auto name_of = [](const test::slapd& s) { return "127.0.0.1:" + std::to_string(s.port()); };
  BOOST_TEST(manager.search(read(test::user_dn(1))).server == name_of(first));
  first.kill9();
  BOOST_TEST(manager.search(read(test::user_dn(1))).server == name_of(second));
  first.start();
  BOOST_TEST(manager.suspend(name_of(second)));
  BOOST_TEST(eventually([&] {
    const auto found = manager.try_search(read(test::user_dn(1)));
    return found && found->server == name_of(first);
  }));
  BOOST_TEST(manager.resume(name_of(second)));
  BOOST_TEST(!manager.suspend("nobody:389"));
}

BOOST_AUTO_TEST_CASE(managers_come_and_go_without_leaving_threads_or_descriptors) {
  test::slapd server;
  const auto round = [&] {
    connection_manager manager(info_of(server));
    BOOST_TEST(manager.connect().connected);
    BOOST_TEST(manager.disconnect());
  };
  round();
  const auto threads = test::threads_now(), descriptors = test::descriptors_now();
  for (int i = 0; i < 100; ++i) round();
  BOOST_TEST(eventually([&] { return test::threads_now() <= threads; }));
  BOOST_TEST(test::descriptors_now() == descriptors);
}

BOOST_AUTO_TEST_CASE(a_manager_may_be_stopped_by_another_thread_than_the_one_that_started_it) {
  test::slapd server;
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  std::promise<bool> stopped;
  std::thread other([&] { stopped.set_value(manager.disconnect()); });
  BOOST_TEST(stopped.get_future().get());
  other.join();
}

BOOST_AUTO_TEST_CASE(a_manager_can_be_moved_while_it_is_connected) {
  test::slapd server;
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  connection_manager moved(std::move(manager));
  BOOST_TEST(moved.is_connected());
  BOOST_TEST(static_cast<bool>(moved.try_whoami()));
  moved = connection_manager(info_of(server));
  BOOST_TEST(!moved.is_connected());
}

BOOST_AUTO_TEST_CASE(a_forked_child_gets_a_clear_error_and_harms_nobody) {
  test::slapd server;
  auto manager = std::make_unique<connection_manager>(info_of(server));
  BOOST_REQUIRE(manager->connect().connected);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto refused = manager->try_whoami();
    const bool clear =
        refused.code() == errc::stopped && describe(*refused.error()).find("forked") != std::string::npos;
    manager->disconnect();
    manager.reset();
    ::_exit(clear ? 0 : 1);
  }
  int status = -1;
  BOOST_TEST(eventually([&] { return ::waitpid(child, &status, WNOHANG) == child; }));
  BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  BOOST_TEST(static_cast<bool>(manager->try_whoami()));
  BOOST_TEST(manager->disconnect());
}
