// Scenarios 22, 23, 25: connections that grow old or idle, are replaced, refilled, closed; with the server there or
// not.
#include "scenarios/pool_rig.hpp"
#include "understudy/runtime/connection_pool.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// Nothing is lost when as many leases as the maximum allows can be held at once (the monitor's socket comes first).
void check_capacity(connection_manager& manager, std::uint32_t max) {
  BOOST_TEST(eventually([&] { return manager.snapshot().servers[0].breaker == breaker_state::closed; }));
  std::vector<lease> held;
  lease_options patient;
  patient.timeout = 15s;
  for (std::uint32_t i = 0; i + 1 < max; ++i) {
    held.push_back(manager.get_connection(patient));
    BOOST_TEST(held.back().whoami() == service_identity());
  }
}

/// Waits until a connection opened now would be past its lifetime.
void grow_old(duration lifetime) {
  const auto end = std::chrono::steady_clock::now() + lifetime;
  eventually([&] { return std::chrono::steady_clock::now() > end; }, 60s);
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_22_expired_connections_returned_to_a_server_that_takes_no_new_ones_go_on) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 2, 4);
  all.pool.max_lifetime = 1s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  std::vector<lease> held;
  for (int i = 0; i < 2; ++i) held.push_back(manager.get_connection());
  a.reset_newcomers(true);
  grow_old(1s);
  for (auto& one : held) BOOST_TEST(one.release());
  const auto failures = pool_at(manager, a.port()).connect_failures;
  BOOST_TEST(eventually([&] { return pool_at(manager, a.port()).connect_failures > failures; }));
  // They are past their time, and better than none.
  BOOST_TEST(holds_for([&] { return a.open_connections() >= 2u; }, 1s));
  const auto now = pool_at(manager, a.port());
  BOOST_TEST(now.leased == 0u);
  BOOST_TEST(now.now.idle + now.now.in_use >= 2u);

  a.reset_newcomers(false);
  check_capacity(manager, 4);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_22_leases_returned_after_the_server_died_cost_no_capacity) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 2, 4);
  all.pool.max_lifetime = 1s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  std::vector<lease> held;
  for (int i = 0; i < 3; ++i) held.push_back(manager.get_connection());
  grow_old(1s);
  a.stop();
  BOOST_TEST(eventually([&] { return pool_at(manager, a.port()).leased == 0u; }));
  for (auto& one : held) BOOST_TEST(!one.release());
  BOOST_TEST(pool_at(manager, a.port()).now.in_use == 0u);

  a.start();
  BOOST_TEST(eventually([&] { return pool_at(manager, a.port()).now.idle >= 2u; }), "the minimum is not refilled");
  check_capacity(manager, 4);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_23_a_pool_shrinks_to_its_minimum_and_refills_it) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 3, 9);
  all.pool.max_idle_time = 1s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  std::vector<lease> held;
  for (int i = 0; i < 6; ++i) held.push_back(manager.get_connection());
  held.clear();
  BOOST_TEST(a.most_open_connections() >= 6u);
  const auto kept = [&] {
    const auto now = pool_at(manager, a.port()).now;
    return now.idle == 3u && now.size <= 4u && a.open_connections() == now.size;  // one may be the monitor's
  };
  BOOST_TEST(eventually(kept));
  BOOST_TEST(holds_for([&] { return a.open_connections() >= 3u; }, 1500ms), "shrunk below the minimum");
  for (int i = 0; i < 3; ++i) {
    a.close_all();
    BOOST_TEST(eventually(kept), "the minimum is not refilled");
  }
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_23_preloading_opens_the_minimum_without_being_asked) {
  leak_guard leaks;
  stub_directory a;
  pool_options options;
  options.min_connections = 5;
  options.max_connections = 10;
  options.preload_connections = true;
  connection_pool pool(server_at(a.port()), options);
  BOOST_TEST(eventually([&] { return pool.snapshot().now.idle >= 5u; }));
  BOOST_TEST(pool.snapshot().dispatched == 0u);
  BOOST_TEST(a.open_connections() >= 5u);
}

BOOST_AUTO_TEST_CASE(scenario_23_cleanup_returns_what_it_closed) {
  leak_guard leaks;
  stub_directory a;
  pool_options options;
  options.min_connections = 2;
  options.max_connections = 10;
  connection_pool pool(server_at(a.port()), options);
  std::vector<lease> held;
  for (int i = 0; i < 7; ++i) held.push_back(pool.get_connection());
  auto kept = std::move(held.back());
  held.clear();
  BOOST_TEST_REQUIRE(eventually([&] {
    const auto now = pool.snapshot().now;
    return now.idle + 1 >= 7u && now.connecting == 0 && now.in_use == 1u;
  }));
  const auto before = pool.snapshot();
  const auto closed = pool.cleanup();
  BOOST_TEST(closed >= 5);
  BOOST_TEST(eventually([&] { return pool.snapshot().closed == before.closed + static_cast<unsigned>(closed); }));
  BOOST_TEST(eventually([&] { return a.open_connections() == pool.snapshot().now.size; }));
  BOOST_TEST(pool.snapshot().now.idle + pool.snapshot().now.in_use == 2u);
  BOOST_TEST(pool.cleanup() == 0);
  BOOST_TEST(kept.whoami() == service_identity());
}

BOOST_AUTO_TEST_CASE(scenario_25_old_connections_are_replaced_under_load_without_a_failed_operation) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 5, 12);
  all.pool.max_lifetime = 2s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(at_rest(manager, a.port(), 5));
  background_load reads(manager, 8);
  background_load binds(manager, 1, [](int) { return make_request(bind_request{user_dn(1), secret{"x"}}); });
  const auto first = a.identities();
  std::uint32_t least = 5;
  const bool renewed = eventually(
      [&] {
        const auto now = pool_at(manager, a.port()).now;
        least = std::min(least, now.idle + now.in_use);
        return pool_at(manager, a.port()).closed >= 10u;
      },
      60s);
  BOOST_TEST(renewed);
  // The monitor's own connection stays as long as it works.
  std::size_t old = 0;
  for (const auto& [connection, identity] : a.identities()) old += first.count(connection);
  BOOST_TEST(old <= 1u);
  BOOST_TEST(least >= 5u, "a connection left before its successor was there");
  BOOST_TEST(reads.finish());
  BOOST_TEST(binds.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  BOOST_TEST(binds.failures().empty(), binds.example());
  // Five, the monitor's, one for binds; of each kind one that comes and one that goes.
  BOOST_TEST(a.most_open_connections() <= 11u, "they were replaced all at once");
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_25_with_no_free_socket_the_old_connection_goes_first) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 3, 3);
  all.pool.max_lifetime = 1s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  background_load reads(manager, 8);
  BOOST_TEST(eventually([&] { return pool_at(manager, a.port()).closed >= 6u; }, 60s));
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  BOOST_TEST(a.most_open_connections() <= 3u);
  end_scenario(manager, {a});
}
