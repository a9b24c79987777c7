// Limits of time as callers may give them: negative ones are over already, the longest are as good as none.
#include "support/eventually.hpp"
#include "support/print.hpp"
#include "support/stub_directory.hpp"
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/runtime/ranged_values.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

settings settings_of_limits(const stub_directory& server) {
  settings all;
  all.servers.emplace_back();
  all.servers.front().host = "127.0.0.1";
  all.servers.front().port = server.port();
  all.servers.front().timeout = 1h;
  all.recovery.auto_recovery = false;
  all.log.level = log_level::error;
  return all;
}

struct limits_fixture {
  limits_fixture() { BOOST_TEST_REQUIRE(manager.connect(duration::max()).connected); }

  stub_directory server;
  connection_manager manager{settings_of_limits(server)};
};

constexpr duration no_time[] = {duration::min(), duration{-1}};

}  // namespace

BOOST_AUTO_TEST_CASE(a_connect_without_time_does_not_wait) {
  stub_directory server;
  server.ignore_connects();
  connection_manager manager(settings_of_limits(server));
  for (const auto none : no_time) {
    const auto result = manager.connect(none);
    BOOST_TEST(!result.connected);
    BOOST_TEST_REQUIRE(result.failed != nullptr);
  }
  server.start();
}

BOOST_FIXTURE_TEST_CASE(requests_without_time_are_over, limits_fixture) {
  for (const auto none : no_time) {
    const auto searched = manager.try_search({}, {none});
    BOOST_TEST((searched.code() == errc::operation_timeout), (searched ? "ok" : describe(*searched.error())));
    const auto values = try_fetch_all_values(manager, "dc=a", "member", {none});
    BOOST_TEST((values.code() == errc::operation_timeout), (values ? "ok" : describe(*values.error())));
    lease_options asked;
    asked.timeout = none;
    BOOST_CHECK_THROW(static_cast<void>(manager.get_connection(asked)), ldap_exception);
    // What is there at once may still be told; nobody waits for what is not.
    BOOST_CHECK_NO_THROW(static_cast<void>(manager.probe_all(none)));
  }
}

BOOST_FIXTURE_TEST_CASE(requests_with_all_the_time_there_is_are_served, limits_fixture) {
  const auto searched = manager.try_search({}, {duration::max()});
  BOOST_TEST(static_cast<bool>(searched), (searched ? "" : describe(*searched.error())));
  const auto values = try_fetch_all_values(manager, "dc=a", "member", {duration::max()});
  BOOST_TEST(static_cast<bool>(values), (values ? "" : describe(*values.error())));
  lease_options asked;
  asked.timeout = duration::max();
  BOOST_TEST(static_cast<bool>(manager.get_connection(asked)));
  const auto name = "127.0.0.1:" + std::to_string(server.port());
  for (const auto ttl : {seconds::max(), seconds::min()}) {
    BOOST_TEST(manager.suspend(name, ttl));
    BOOST_TEST(manager.resume(name));
  }
}
