// Scenario 39: the servers and settings of a manager change under load; nothing fails, nothing is left behind.
#include "scenarios/scenario.hpp"
#include "support/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

using names = std::vector<std::string>;

/// Reads under way all the time; each change has to leave them unharmed.
struct under_load {
  explicit under_load(settings how) : manager(std::move(how)), connected(manager.connect().connected) {
    BOOST_TEST_REQUIRE(connected);
    reads.emplace(manager, 16);
    BOOST_TEST_REQUIRE(eventually([&] { return reads->succeeded() > 200; }));
  }
  /// Waits until that server answers.
  bool served_by(const stub_directory& server) {
    reads->forget();
    return eventually([&] { return reads->by_server().count(name_of(server.port())) > 0; });
  }
  /// Waits until nothing but that server answers.
  bool served_only_by(const stub_directory& server) {
    return eventually([&] {
      reads->forget();
      const auto before = reads->succeeded();
      eventually([&] { return reads->succeeded() > before + 50; });
      const auto seen = reads->by_server();
      return seen.size() == 1 && seen.count(name_of(server.port())) > 0;
    });
  }
  void finish() {
    BOOST_TEST(reads->finish());
    BOOST_TEST(reads->failures().empty(), reads->example());
  }

  connection_manager manager;
  bool connected;
  std::optional<background_load> reads;
};

std::size_t bound_as(const stub_directory& server, const std::string& dn) {
  const auto all = server.identities();
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&](const auto& each) { return each.second == dn; }));
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_39_servers_are_added_removed_and_reprioritised_under_load) {
  leak_guard leaks;
  stub_directory a, b, c;
  {
    under_load load(quick_settings({server_at(a.port(), 2), server_at(b.port(), 3)}));
    // Added, and preferred from then on.
    auto report =
        load.manager.reload(quick_settings({server_at(a.port(), 2), server_at(b.port(), 3), server_at(c.port(), 1)}));
    BOOST_TEST(report.added == names{name_of(c.port())}, boost::test_tools::per_element());
    BOOST_TEST(report.removed.empty());
    BOOST_TEST(report.changed.empty());
    BOOST_TEST(load.served_only_by(c));
    // Reprioritised: no connection is touched.
    const auto connections = b.connections();
    report =
        load.manager.reload(quick_settings({server_at(a.port(), 2), server_at(b.port(), 0), server_at(c.port(), 1)}));
    BOOST_TEST(report.changed == names{name_of(b.port())}, boost::test_tools::per_element());
    BOOST_TEST(load.served_only_by(b));
    BOOST_TEST(b.connections() >= connections);
    // Removed while it serves.
    report = load.manager.reload(quick_settings({server_at(a.port(), 2), server_at(c.port(), 1)}));
    BOOST_TEST(report.removed == names{name_of(b.port())}, boost::test_tools::per_element());
    BOOST_TEST(load.served_by(c));
    BOOST_TEST(eventually([&] { return b.open_connections() == 0; }), b.open_connections());
    BOOST_TEST(load.manager.snapshot().servers.size() == 2u);
    // And back again.
    load.manager.reload(quick_settings({server_at(b.port(), 1)}));
    BOOST_TEST(load.served_by(b));
    BOOST_TEST(eventually([&] { return a.open_connections() + c.open_connections() == 0; }));
    load.finish();
    end_scenario(load.manager, {b});
  }
}

BOOST_AUTO_TEST_CASE(scenario_39_pools_are_resized_and_connections_kept) {
  leak_guard leaks;
  stub_directory a;
  {
    auto how = quick_settings({server_at(a.port())});
    how.failover.health_check_interval = how.pool.health_check_interval = 60s;  // no probes among what is counted
    under_load load(how);
    BOOST_TEST(eventually([&] { return load.manager.snapshot().servers[0].pool.now.size >= 2; }));
    const auto opened = a.connections();
    how.servers[0].pool_size = 8;
    how.servers[0].max_pool_size = 12;
    load.manager.reload(how);
    BOOST_TEST(eventually([&] {
      return load.manager.snapshot().servers[0].pool.now.idle + load.manager.snapshot().servers[0].pool.now.in_use >= 8;
    }));
    BOOST_TEST(load.manager.snapshot().servers[0].pool.max_connections == 12u);
    BOOST_TEST(load.manager.snapshot().servers[0].pool.closed == 0u);
    BOOST_TEST(a.connections() > opened);
    how.servers[0].pool_size = 1;
    how.servers[0].max_pool_size = 2;
    load.manager.reload(how);
    BOOST_TEST(eventually([&] { return load.manager.snapshot().servers[0].pool.now.size <= 2; }));
    load.finish();
    end_scenario(load.manager, {a});
  }
}

BOOST_AUTO_TEST_CASE(scenario_39_a_lease_outlives_the_removal_of_its_server) {
  leak_guard leaks;
  stub_directory a, b;
  auto how = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  how.limits.drain_timeout = 60s;
  connection_manager manager(how);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  auto held = manager.get_connection();
  BOOST_TEST_REQUIRE(held.server() == name_of(a.port()));
  auto without = how;
  without.servers.erase(without.servers.begin());
  manager.reload(without);
  const auto elsewhere = manager.try_search(search_for("(uid=user1)"), {20s});
  BOOST_TEST_REQUIRE(static_cast<bool>(elsewhere), why(elsewhere));
  BOOST_TEST(elsewhere->server == name_of(b.port()));
  const auto on_it = held.try_search(search_for("(uid=user2)"), {20s});
  BOOST_TEST_REQUIRE(static_cast<bool>(on_it), why(on_it));
  BOOST_TEST(on_it->server == name_of(a.port()));
  BOOST_TEST(a.open_connections() > 0u);
  BOOST_TEST(manager.return_connection(held));
  BOOST_TEST(eventually([&] { return a.open_connections() == 0; }), a.open_connections());
  end_scenario(manager, {b});
}

BOOST_AUTO_TEST_CASE(scenario_39_other_credentials_take_over_one_connection_after_the_other) {
  leak_guard leaks;
  const std::string next_dn = "cn=next,dc=example,dc=com";
  stub_directory a({.passwords = {{admin_dn, admin_password}, {next_dn, "next"}}});
  {
    auto how = quick_settings({server_at(a.port())});
    under_load load(how);
    BOOST_TEST(bound_as(a, admin_dn) > 0u);
    how.servers[0].bind_dn = next_dn;
    how.servers[0].password = secret{"next"};
    load.manager.reload(how);
    BOOST_TEST(eventually([&] { return bound_as(a, admin_dn) == 0 && bound_as(a, next_dn) > 0; }, 60s));
    const auto who = load.manager.try_whoami({20s});
    BOOST_TEST_REQUIRE(static_cast<bool>(who), why(who));
    BOOST_TEST(who->response_value.value_or("").find(next_dn) != std::string::npos);
    load.finish();
    end_scenario(load.manager, {a});
  }
}

BOOST_AUTO_TEST_CASE(scenario_39_limits_count_for_the_next_request_and_the_log_level_for_the_next_line) {
  leak_guard leaks;
  stub_directory a;
  std::mutex guard;
  std::vector<log_level> seen;
  auto how = quick_settings({server_at(a.port())});
  how.log.level = log_level::error;
  connection_manager manager(how);
  manager.set_log([&](log_level level, const std::string&) {
    const std::lock_guard lock(guard);
    seen.push_back(level);
  });
  BOOST_TEST_REQUIRE(manager.connect().connected);
  how.limits.operation_timeout = 300ms;
  how.log.level = log_level::debug;
  manager.reload(how);
  a.disturb(operation::search, {.silent = true});
  const auto answer = manager.try_search(search_for("(uid=user1)"));  // 30 s before
  BOOST_TEST(answer.code() == errc::operation_timeout);
  a.forget_rules();
  end_scenario(manager, {a});
  const std::lock_guard lock(guard);
  BOOST_TEST(std::count(seen.begin(), seen.end(), log_level::info) > 0);
}

BOOST_AUTO_TEST_CASE(scenario_39_settings_that_cannot_work_change_nothing) {
  leak_guard leaks;
  stub_directory a;
  temporary_folder folder;
  const auto file = folder / "directory.toml";
  {
    under_load load(quick_settings({server_at(a.port())}));
    auto wrong = quick_settings({server_at(a.port())});
    wrong.servers[0].use_ssl = wrong.servers[0].use_tls = true;
    wrong.pool.max_waiters = -1;
    wrong.limits.max_pdu_bytes = 1;
    try {
      load.manager.reload(wrong);
      BOOST_ERROR("settings that cannot work were taken");
    } catch (const config_error& e) {
      BOOST_TEST(e.problems().size() == 3u, e.what());
    }
    folder.write("directory.toml", "[ldap]\nhots = \"a\"\n[pool]\nmax_connections = 0\n");
    try {
      load.manager.reload_file(file.string());
      BOOST_ERROR("a file that cannot work was taken");
    } catch (const config_error& e) {
      BOOST_TEST(e.problems().size() >= 2u, e.what());
    }
    BOOST_TEST(load.served_only_by(a));
    folder.write("directory.toml", "[ldap]\nhost = \"127.0.0.1\"\nport = " + std::to_string(a.port()) +
                                       "\nbind_dn = \"" + admin_dn + "\"\npassword = \"" + admin_password +
                                       "\"\n[limits]\nmax_requests = 7\n");
    const auto report = load.manager.reload_file(file.string());
    BOOST_TEST(std::count(report.needs_restart.begin(), report.needs_restart.end(), "limits.max_requests") == 1);
    BOOST_TEST(load.served_only_by(a));
    load.finish();
    end_scenario(load.manager, {a});
  }
}
