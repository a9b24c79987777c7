// Scenarios 15 and 16: a wrong service password locks no account, users' wrong passwords harm nothing.
#include "scenarios/pool_rig.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* wrong = "hunter2-wrong";
constexpr const char* right = "hunter2-right";

/// Three servers that know the service by the password `right`, in a manager that is given another one.
struct three_servers {
  stub_options with = {.passwords = {{admin_dn, right}}};
  stub_directory a{with}, b{with}, c{with};

  settings with_source(const std::function<void(connection_info&)>& set_source) const {
    std::vector<connection_info> servers{server_at(a.port(), 1), server_at(b.port(), 2), server_at(c.port(), 3)};
    for (auto& server : servers) {
      server.password = {};
      set_source(server);
    }
    auto all = quick_settings(servers);
    all.pool.preload_connections = true;
    all.recovery.reconnect_attempts = 3;
    all.recovery.reconnect_delay = 100ms;
    return all;
  }

  /// Those as the service; a user's own bind has nothing to do with its secret.
  std::vector<bind_note> binds() const {
    std::vector<bind_note> all;
    for (const auto* stub : {&a, &b, &c})
      for (auto& bind : stub->binds())
        if (bind.dn == admin_dn) all.push_back(std::move(bind));
    return all;
  }
  std::size_t refused() const {
    const auto all = binds();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](const bind_note& bind) { return bind.code != 0; }));
  }
};

/// The one bind is refused, whoever asks; then the secret is corrected under the running manager.
void refused_once_then_corrected(three_servers& servers, const settings& all, const std::function<void()>& correct) {
  log_lines log;
  connection_manager manager(all);
  manager.set_log(log.sink());
  const auto result = manager.connect();
  BOOST_TEST(!result.connected);
  BOOST_TEST(result.auth_error.find("invalidCredentials") != std::string::npos, result.auth_error);
  BOOST_TEST(result.auth_error.find("hunter2") == std::string::npos);
  const auto only_one = [&] {
    const auto answer = manager.try_search(search_for("(uid=user1)"), {5s});
    return answer.code() == errc::service_authentication_failed && servers.binds().size() == 1u;
  };
  BOOST_TEST(holds_for(only_one, 2500ms), servers.binds().size() << " binds were sent");
  for (const auto& probe : manager.probe_all(5s)) BOOST_TEST(!probe.ok);
  BOOST_CHECK_THROW(manager.get_connection(), service_authentication_failed);
  BOOST_CHECK_THROW(manager.search(search_for("(uid=user1)")), service_authentication_failed);
  BOOST_CHECK_THROW(manager.bind({user_dn(1), secret{"hunter3"}}), authentication_failed);
  BOOST_TEST(servers.binds().size() == 1u);
  const auto seen = manager.snapshot();
  BOOST_TEST(seen.credentials_refused);
  for (const auto& server : seen.servers) BOOST_TEST(server.breaker_opened == 0u, "credentials are no server's fault");

  correct();
  std::string problem;
  const bool serves = eventually([&] {
    problem = why(manager.try_search(search_for("(uid=user1)"), {5s}));
    return problem.empty();
  });
  BOOST_TEST(serves, problem);
  BOOST_TEST(servers.refused() == 1u);
  BOOST_TEST(eventually([&] { return !manager.snapshot().credentials_refused; }));
  // The monitor may have probed a lower level's connection open meanwhile; the preferred one serves all the same.
  end_scenario(manager, {servers.a, servers.b, servers.c});
  BOOST_TEST(servers.refused() == 1u);
  BOOST_TEST(!log.has("hunter2"));
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_15_a_wrong_service_password_is_tried_once_in_all) {
  leak_guard leaks;
  temporary_folder folder;
  const auto file = folder.write("password", std::string{wrong} + "\n").string();
  three_servers servers;
  refused_once_then_corrected(servers, servers.with_source([&](auto& server) { server.password_file = file; }),
                              [&] { folder.write("password", std::string{right} + "\n"); });
}

BOOST_AUTO_TEST_CASE(scenario_15_a_wrong_password_of_a_callback_is_tried_once_and_its_next_one_serves) {
  leak_guard leaks;
  three_servers servers;
  const auto corrected = std::make_shared<std::atomic<bool>>(false);
  const auto password = [corrected] { return std::string{corrected->load() ? right : wrong}; };
  refused_once_then_corrected(servers, servers.with_source([&](auto& server) { server.password_callback = password; }),
                              [&] { *corrected = true; });
}

BOOST_AUTO_TEST_CASE(scenario_15_a_wrong_password_of_a_command_is_tried_once_and_its_next_one_serves) {
  leak_guard leaks;
  temporary_folder folder;
  const auto file = folder.write("password", std::string{wrong} + "\n").string();
  three_servers servers;
  refused_once_then_corrected(servers, servers.with_source([&](auto& server) {
    server.password_command = {"/bin/cat", file};
  }),
                              [&] { folder.write("password", std::string{right} + "\n"); });
}

BOOST_AUTO_TEST_CASE(scenario_15_a_command_lets_the_same_secret_be_tried_again) {
  leak_guard leaks;
  three_servers servers;
  connection_manager manager(servers.with_source([](auto& server) { server.password = secret{wrong}; }));
  BOOST_TEST(!manager.connect().connected);
  BOOST_TEST(servers.binds().size() == 1u);
  for (auto* stub : {&servers.a, &servers.b, &servers.c}) stub->set_passwords({{admin_dn, wrong}});
  BOOST_TEST(manager.try_search(search_for("(uid=user1)"), {5s}).code() == errc::service_authentication_failed);
  BOOST_TEST(servers.binds().size() == 1u);
  BOOST_TEST(manager.resume(name_of(servers.a.port())));
  BOOST_TEST(eventually([&] { return static_cast<bool>(manager.try_search(search_for("(uid=user1)"), {5s})); }));
  BOOST_TEST(servers.refused() == 1u);
  end_scenario(manager, {servers.a, servers.b, servers.c});
}

BOOST_AUTO_TEST_CASE(scenario_16_refused_users_harm_no_pooled_connection) {
  leak_guard leaks;
  slapd a;
  // Three connections for the service, four for users' binds, one for the monitor.
  connection_manager manager(one_pool(a.port(), 3, 8));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(at_rest(manager, a.port(), 3));
  background_load others(manager, 4, [](int) { return make_request(whoami_request{}); });
  std::vector<std::future<outcome>> binds;
  for (int i = 0; i < 100; ++i) binds.push_back(manager.async_bind({user_dn(i % 10), secret{"wrong"}}, {20s}));
  for (auto& bind : binds) {
    const auto answer = bind.get();
    BOOST_TEST(answer.code() == errc::authentication_failed, why(answer));
    BOOST_TEST_REQUIRE(answer.error());
    BOOST_TEST(answer.error()->ldap_code == result_code::invalid_credentials);
  }
  BOOST_CHECK_NO_THROW(manager.bind({user_dn(1), secret{user_password(1)}}));
  BOOST_TEST(others.finish());
  BOOST_TEST(others.failures().empty(), others.example());
  const auto seen = server_in(manager.snapshot(), a.port());
  BOOST_TEST(seen.breaker == breaker_state::closed);
  BOOST_TEST(seen.breaker_opened == 0u);
  BOOST_TEST(!manager.snapshot().credentials_refused, "a user's password is not the service's");
  auto all = lease_all(manager);
  BOOST_TEST(all.size() >= 3u);
  for (auto& one : all) BOOST_TEST(one.whoami() == service_identity());
  all.clear();
  end_scenario(manager, {a});
}
