// Scenarios 19 and 20: bursts and saturation; and how many sockets a pool may have.
#include "scenarios/pool_rig.hpp"

#include <boost/test/unit_test.hpp>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(scenario_19_a_burst_is_multiplexed_over_what_is_there) {
  leak_guard leaks;
  stub_directory a;
  a.disturb(operation::search, {.delay = 2ms});
  connection_manager manager(one_pool(a.port(), 5, 50));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  // Five, and the monitor's own.
  BOOST_TEST_REQUIRE(at_rest(manager, a.port(), 5));
  BOOST_TEST_REQUIRE(eventually([&] { return pool_at(manager, a.port()).now.size >= 6u; }));
  // Nobody can have waited for a connect: none comes to an end any more.
  a.disturb(operation::bind, {.silent = true});
  std::vector<std::future<outcome>> burst;
  for (int i = 0; i < 50; ++i) burst.push_back(manager.async_search(search_for("(uid=user1)"), {60s}));
  for (auto& one : burst) {
    BOOST_TEST_REQUIRE((one.wait_for(60s) == std::future_status::ready));
    BOOST_TEST(static_cast<bool>(one.get()));
  }
  BOOST_TEST(pool_at(manager, a.port()).now.size <= 7u);
  BOOST_TEST(a.connections() <= 7u);
  a.forget_rules();
  a.close_all();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_20_beyond_the_queue_callers_are_refused_at_once_and_the_rest_served_in_order) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 2, 3);
  all.pool.max_in_flight = 1;
  all.pool.max_waiters = 10;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(eventually([&] { return server_in(manager.snapshot(), a.port()).pool.now.idle >= 2u; }));
  a.disturb(operation::search, {.delay = 100ms});
  std::vector<std::future<outcome>> all_of_them;
  for (int i = 0; i < 60; ++i)
    all_of_them.push_back(manager.async_search(search_for("(uid=number" + std::to_string(i) + ")"), {15s}));
  std::uint64_t served = 0, refused = 0;
  for (auto& one : all_of_them) {
    const auto answer = one.get();
    if (answer) ++served;
    if (answer.code() == errc::queue_full) {
      ++refused;
      BOOST_TEST(answer.error()->pool.has_value());
    }
  }
  BOOST_TEST(served + refused == 60u);
  BOOST_TEST(served >= 10u);
  BOOST_TEST(refused >= 40u);
  std::vector<int> order;
  for (const auto& request : a.requests(operation::search)) {
    const auto at = request.filter.find("number");
    if (at != std::string::npos) order.push_back(std::stoi(request.filter.substr(at + 6)));
  }
  // Two sockets (three without the monitor's) carry one each: neighbours may overtake each other by one place.
  for (std::size_t i = 1; i < order.size(); ++i) BOOST_TEST(order[i] + 3 > order[i - 1]);
  a.forget_rules();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_20_a_waiter_whose_deadline_passes_is_never_granted_late) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 1, 2);
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  std::vector<lease> held;
  lease_options brief;
  brief.timeout = 200ms;
  held.push_back(manager.get_connection());
  try {
    for (;;) held.push_back(manager.get_connection(brief));
  } catch (const pool_timeout& e) {
    BOOST_TEST(e.reason().pool.has_value());
  }
  const auto before = server_in(manager.snapshot(), a.port()).pool;
  BOOST_TEST(before.now.waiters == 0u);
  held.clear();
  BOOST_TEST(eventually([&] { return server_in(manager.snapshot(), a.port()).pool.leased == 0u; }));
  BOOST_TEST(server_in(manager.snapshot(), a.port()).pool.acquired == before.acquired);
  BOOST_TEST(manager.get_connection(brief).whoami() == "dn:" + std::string{admin_dn});
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_20_who_waits_leaves_at_its_deadline_and_the_connection_serves_the_next) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 1, 1);
  all.pool.max_in_flight = 1;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.disturb(operation::search, {.after_abandon = true}, 1);
  // One occupies the connection, until it is cancelled; two wait behind it, one of them briefly.
  cancel_source give_up;
  call_options first;
  first.timeout = 60s;
  first.cancel = &give_up;
  auto busy = manager.async_search(search_for("(uid=busy)"), first);
  BOOST_TEST_REQUIRE(eventually([&] { return !a.requests(operation::search).empty(); }));
  auto brief = manager.async_search(search_for("(uid=brief)"), {300ms});
  auto patient = manager.async_search(search_for("(uid=patient)"), {60s});
  BOOST_TEST_REQUIRE((brief.wait_for(20s) == std::future_status::ready));
  BOOST_TEST(!brief.get());
  BOOST_TEST(pool_at(manager, a.port()).now.waiters == 1u);
  give_up.cancel();
  BOOST_TEST(busy.get().code() == errc::cancelled);
  const auto served = patient.get();
  BOOST_TEST(static_cast<bool>(served), why(served));
  for (const auto& request : a.requests(operation::search))
    BOOST_TEST(request.filter.find("brief") == std::string::npos, "sent after its deadline");
  BOOST_TEST(a.connections() == 1u);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_20_no_more_sockets_than_the_maximum_whatever_they_are_for) {
  leak_guard leaks;
  constexpr int most = 6;
  stub_directory a;
  auto all = one_pool(a.port(), 3, most);
  all.pool.max_lifetime = 1s;
  all.pool.max_in_flight = 2;
  all.pool.max_connecting = 4;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> leased{0};
  {
    // Shared operations for more connections than there may be, users' binds, leases, probes, replacements and deaths.
    background_load reads(manager, 24), binds(manager, 6, [](int n) {
      return make_request(bind_request{user_dn(n % 10), secret{"x"}});
    });
    std::vector<std::thread> holders;
    for (int i = 0; i < 3; ++i)
      holders.emplace_back([&] {
        while (!over) try {
            auto held = manager.get_connection();
            if (held.try_whoami({5s})) ++leased;
          } catch (const ldap_exception&) {
            // Connections are cut all the time.
          }
      });
    for (int i = 0; i < 30; ++i) {
      const auto before = reads.succeeded() + binds.succeeded();
      BOOST_TEST(eventually([&] { return reads.succeeded() + binds.succeeded() > before + 50; }, 60s));
      if (i % 3 == 2) a.close_all();
      (void)manager.probe_all(2s);
      BOOST_TEST(pool_at(manager, a.port()).now.size <= most);
    }
    // And two generations that end with their lifetime.
    const auto closed = pool_at(manager, a.port()).closed;
    BOOST_TEST(eventually([&] { return pool_at(manager, a.port()).closed >= closed + 2 * most; }, 60s));
    over = true;
    for (auto& holder : holders) holder.join();
    BOOST_TEST(reads.finish());
    BOOST_TEST(binds.finish());
  }
  BOOST_TEST(leased > 0u);
  BOOST_TEST(a.most_open_connections() <= most, a.most_open_connections() << " sockets at once");
  BOOST_TEST(a.most_open_connections() >= most - 1);
  end_scenario(manager, {a});
}
