// Strangers that live, however it looks: slow ones, busy ones, some whose connections are cut, one at its limit.
#include "scenarios/scenario.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// They take 1.6 s for each answer for a while, and then answer at once again.
void nobody_is_refused_by(const std::vector<stub_directory*>& slow, background_load& reads) {
  BOOST_TEST(holds_for([&] { return reads.failures().empty(); }, 8s), reads.example());
  for (auto* server : slow) server->forget_rules();
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
}

/// Every answer of each server takes 1.6 s, binds too; whoever asks is answered after that and nobody is refused.
void check_waited_for(std::vector<stub_directory*> servers) {
  std::vector<connection_info> infos;
  std::vector<witness> seen;
  for (auto* server : servers) {
    server->disturb_all({.delay = 1600ms});
    infos.push_back(server_at(server->port(), static_cast<int>(infos.size()) + 1));
    seen.emplace_back(*server);
  }
  auto all = quick_settings(infos);
  all.breaker.open_cap = 60s;  // as it is by default: nobody is served by chance
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  {
    background_load reads(manager, 4, {}, 30s);
    nobody_is_refused_by(servers, reads);
    BOOST_TEST(reads.succeeded() >= 8u);
  }
  end_scenario(manager, seen);
}

/// A server, and a manager whose pool has so many connections to it, all of them idle.
struct filled_pool {
  explicit filled_pool(int connections, const std::function<void(settings&)>& change = {}) {
    auto how = server_at(server.port());
    how.pool_size = connections;
    auto all = quick_settings({how});
    all.pool.preload_connections = true;
    if (change) change(all);
    manager.emplace(all);
    BOOST_TEST_REQUIRE(manager->connect().connected);
    BOOST_TEST_REQUIRE(eventually([&] { return idle() >= static_cast<std::uint32_t>(connections); }));
  }
  server_snapshot seen() const { return server_in(manager->snapshot(), server.port()); }
  std::uint32_t idle() const { return seen().pool.now.idle; }
  outcome search(duration timeout) { return manager->try_search(search_for("(uid=user1)"), {timeout}); }

  stub_directory server;
  std::optional<connection_manager> manager;
};

}  // namespace

BOOST_AUTO_TEST_CASE(stranger_that_takes_long_for_each_answer_is_waited_for) {
  leak_guard leaks;
  stub_directory server;
  check_waited_for({&server});
}

BOOST_AUTO_TEST_CASE(stranger_that_takes_long_is_waited_for_where_all_do) {
  leak_guard leaks;
  stub_directory a, b;
  check_waited_for({&a, &b});
}

BOOST_AUTO_TEST_CASE(stranger_that_begins_to_take_long_is_used_all_the_same) {
  leak_guard leaks;
  stub_directory a, b;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  {
    background_load reads(manager, 4, {}, 30s);
    BOOST_TEST_REQUIRE(eventually([&] { return reads.succeeded() > 100; }));
    for (auto* server : {&a, &b}) server->disturb_all({.delay = 1600ms});
    nobody_is_refused_by({&a, &b}, reads);
  }
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(stranger_that_finds_little_and_is_seldom_busy_is_well) {
  leak_guard leaks;
  stub_directory server;
  std::atomic<int> asked{0};
  server.on(operation::search,
            [&asked](const directory_request&) { return reply{{.code = ++asked % 20 == 0 ? 51 : 32}}; });
  connection_manager manager(quick_settings({server_at(server.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  int refused = 0;
  for (int i = 0; i < 400; ++i) {
    const auto answer = manager.try_search(search_for("(uid=user1)"), {5s});
    refused += answer.code() == errc::breaker_open ? 1 : 0;
  }
  BOOST_TEST(refused == 0);
  BOOST_TEST(server_in(manager.snapshot(), server.port()).breaker_opened == 0u);
  server.forget_rules();
  end_scenario(manager, {server});
}

BOOST_AUTO_TEST_CASE(stranger_whose_idle_connections_are_reset_together_is_well) {
  leak_guard leaks;
  filled_pool pool{5};
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST_REQUIRE(eventually([&] { return pool.idle() >= 5u; }));
    pool.server.reset_all();
    for (int n = 0; n < 20; ++n) {
      const auto answer = pool.search(5s);
      BOOST_TEST(static_cast<bool>(answer), why(answer));
    }
  }
  BOOST_TEST(pool.seen().breaker_opened == 0u);
  end_scenario(*pool.manager, {pool.server});
}

BOOST_AUTO_TEST_CASE(stranger_whose_busy_connections_are_reset_together_is_well) {
  leak_guard leaks;
  std::atomic<int> kept_waiting{0}, served{0}, ended{0};
  filled_pool pool{8, [](settings& all) { all.pool.max_in_flight = 1; }};
  const auto unanswered = pool.server.when([](const directory_request& r) { return r.filter == "(uid=user1)"; },
                                           [&](const directory_request&) {
                                             ++kept_waiting;
                                             return reply{{}, {.silent = true}};
                                           });
  for (int i = 0; i < 8; ++i)
    pool.manager->start(make_request(search_for("(uid=user1)")),
                        [&](const outcome& found) {
                          served += found ? 1 : 0;
                          ++ended;
                        },
                        {5s});
  BOOST_TEST_REQUIRE(eventually([&] { return kept_waiting == 8; }));
  BOOST_TEST(pool.idle() == 0u);
  pool.server.forget(unanswered);
  pool.server.reset_all();
  BOOST_TEST(eventually([&] { return ended == 8; }));
  BOOST_TEST(served == 8);
  BOOST_TEST(pool.seen().breaker_opened == 0u);
  end_scenario(*pool.manager, {pool.server});
}

BOOST_AUTO_TEST_CASE(stranger_at_its_limit_of_connections_is_served_by_the_open_ones_again) {
  leak_guard leaks;
  filled_pool pool{3, [](settings& all) { all.recovery.auto_recovery = false; }};
  // It says busy for a while, which opens the breaker; what ends now cannot be had again.
  pool.server.limit_connections(0);
  const auto busy = pool.server.on(operation::search, reply{{.code = 51}});
  BOOST_TEST(eventually([&] {
    static_cast<void>(pool.search(1s));
    return pool.seen().breaker_opened > 0u;
  }));
  pool.server.forget(busy);
  BOOST_TEST(eventually([&] { return static_cast<bool>(pool.search(1s)); }, 5s));
  BOOST_TEST(eventually([&] { return pool.seen().breaker == breaker_state::closed; }, 5s));
  pool.server.limit_connections({});
  end_scenario(*pool.manager, {pool.server});
}
