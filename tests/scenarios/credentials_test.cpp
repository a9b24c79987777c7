// Scenarios 15 and 16: a wrong service password locks no account, users' wrong passwords harm nothing.
#include "scenarios/scenario.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>

using namespace understudy;
using namespace understudy::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(scenario_15_a_wrong_service_password_is_tried_once_in_all) {
  leak_guard leaks;
  temporary_folder folder;
  const auto file = folder.write("password", "wrong\n");
  stub_options with;
  with.passwords = {{admin_dn, "right"}};
  stub_directory a(with), b(with), c(with);
  std::vector<connection_info> servers{server_at(a.port(), 1), server_at(b.port(), 2), server_at(c.port(), 3)};
  for (auto& server : servers) {
    server.password = {};
    server.password_file = file.string();
  }
  auto all = quick_settings(servers);
  all.pool.preload_connections = true;
  all.recovery.reconnect_attempts = 3;
  all.recovery.reconnect_delay = 100ms;
  connection_manager manager(all);
  const auto result = manager.connect();
  BOOST_TEST(!result.connected);
  BOOST_TEST(result.auth_error.find("invalidCredentials") != std::string::npos, result.auth_error);
  BOOST_TEST(result.auth_error.find("wrong\n") == std::string::npos);
  const auto binds = [&] { return a.binds().size() + b.binds().size() + c.binds().size(); };
  for (int i = 0; i < 5; ++i) {
    const auto answer = manager.try_search(search_for("(uid=user1)"), {1s});
    BOOST_TEST(answer.code() == errc::authentication_failed, why(answer));
  }
  BOOST_TEST(holds_for([&] { return binds() == 1u; }, 1500ms), binds() << " binds were sent");

  manager.disconnect();
  folder.write("password", "right\n");
  connection_manager changed(all);
  BOOST_TEST(changed.connect().connected);
  BOOST_TEST(binds() > 1u);
  for (auto* stub : {&a, &b, &c})
    for (const auto& bind : stub->binds()) BOOST_TEST((bind.code == 0 || bind.password == "wrong"));
  end_scenario(changed, {a, b, c});
}

BOOST_AUTO_TEST_CASE(scenario_16_refused_users_harm_no_pooled_connection) {
  leak_guard leaks;
  slapd a;
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  std::vector<std::future<outcome>> binds;
  for (int i = 0; i < 100; ++i) binds.push_back(manager.async_bind({user_dn(i % 10), secret{"wrong"}}, {20s}));
  for (auto& bind : binds) {
    const auto answer = bind.get();
    BOOST_TEST(answer.code() == errc::authentication_failed, why(answer));
  }
  BOOST_CHECK_NO_THROW(manager.bind({user_dn(1), secret{user_password(1)}}));
  const auto seen = server_in(manager.snapshot(), a.port());
  BOOST_TEST(seen.breaker == breaker_state::closed);
  BOOST_TEST(seen.breaker_opened == 0u);
  std::vector<lease> all;
  lease_options at_once;
  at_once.wait = false;
  try {
    for (;;) all.push_back(manager.get_connection(at_once));
  } catch (const pool_exhausted&) {
    // Every connection that can be leased is.
  }
  BOOST_TEST(!all.empty());
  for (auto& one : all) BOOST_TEST(one.whoami() == "dn:" + std::string{admin_dn});
  all.clear();
  end_scenario(manager, {a});
}
