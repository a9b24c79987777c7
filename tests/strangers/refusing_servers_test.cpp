// Servers that refuse the service's own bind while others still have connections that are bound.
#include "scenarios/scenario.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(stranger_that_refuses_the_service_costs_nobody_whom_a_bound_connection_can_serve) {
  leak_guard leaks;
  constexpr const char* right = "the right one";
  stub_options with;
  with.passwords = {{admin_dn, right}};
  stub_directory a(with), b(with);
  std::vector<connection_info> servers{server_at(a.port(), 1), server_at(b.port(), 2)};
  for (auto& each : servers) {
    each.bind_dn = admin_dn;
    each.password = secret{right};
  }
  auto all = quick_settings(servers);
  all.pool.min_connections = 2;
  all.pool.preload_connections = true;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto idle = [&](const stub_directory& at) { return server_in(manager.snapshot(), at.port()).pool.now.idle; };
  BOOST_TEST_REQUIRE(eventually([&] { return idle(a) >= 2u && idle(b) >= 2u; }));

  a.set_passwords({{admin_dn, "another one"}});
  a.reset_all();
  for (int i = 0; i < 50; ++i) {
    const auto found = manager.try_search(search_for("(uid=user1)"), {5s});
    BOOST_TEST_REQUIRE(static_cast<bool>(found), why(found));
    BOOST_TEST(found->server == name_of(b.port()));
  }
  const auto changed = manager.try_modify(replace_description(user_dn(1), "x"), {5s});
  BOOST_TEST(static_cast<bool>(changed), why(changed));
  BOOST_TEST(manager.get_connection().server() == name_of(b.port()));
  BOOST_TEST(manager.is_connected());
  a.set_passwords({{admin_dn, right}});
  BOOST_TEST(manager.resume(name_of(a.port())));
  end_scenario(manager, {a, b});
}
