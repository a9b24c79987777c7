// Scenario 28 on real sockets: whatever happens in whatever order, one outcome for each request and exact counters.
#include "scenarios/pool_rig.hpp"

#include <boost/test/unit_test.hpp>
#include <numeric>
#include <random>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

using dice = std::mt19937;

int roll(dice& random, int sides) { return std::uniform_int_distribution<int>{0, sides - 1}(random); }

/// What callers did and what became of it.
struct account {
  std::atomic<std::uint64_t> requests{0}, outcomes{0}, succeeded{0}, twice{0};
  std::atomic<std::uint64_t> leases{0}, lease_errors{0};

  bool settled() const { return requests == outcomes; }
};

/// One request whose outcome is counted, and counted as a mistake when it comes again.
void send(directory& to, request_ptr request, account& count, const call_options& options) {
  ++count.requests;
  const auto told = std::make_shared<std::atomic<int>>(0);
  to.start(
      std::move(request),
      [&count, told](const outcome& answer) {
        if (answer) ++count.succeeded;
        if (told->fetch_add(1) == 0)
          ++count.outcomes;
        else
          ++count.twice;
      },
      options);
}

request_ptr any_request(dice& random) {
  switch (roll(random, 6)) {
    case 0:
      return make_request(replace_description(user_dn(roll(random, 10)), "x"));
    case 1:
      return make_request(bind_request{user_dn(roll(random, 10)), secret{roll(random, 2) == 0 ? "right" : "wrong"}});
    case 2:
      return make_request(whoami_request{});
    case 3:
      return make_request(compare_request{user_dn(1), "uid", "user1"});
    default:
      return make_request(search_for("(uid=user" + std::to_string(roll(random, 10)) + ")"));
  }
}

/// Shared operations with short and long deadlines, some of which are cancelled, sooner or later.
void caller(connection_manager& manager, account& count, const std::atomic<bool>& over, unsigned seed) {
  dice random{seed};
  while (!over) {
    std::array<cancel_source, 8> cancels;
    const auto before = count.outcomes.load();
    for (auto& cancel : cancels) {
      call_options options;
      options.timeout = milliseconds{roll(random, 4) == 0 ? 20 : 3000};
      options.cancel = &cancel;
      send(manager, any_request(random), count, options);
    }
    // Some of them are on the wire by now, some wait, some have been answered.
    if (roll(random, 2) == 0) eventually([&] { return count.outcomes > before; }, 50ms);
    for (auto& cancel : cancels)
      if (roll(random, 4) == 0) cancel.cancel();
    eventually([&] { return count.requests - count.outcomes < 40u; }, 5s);
  }
}

/// Leases that are used, bound as others, tainted, and given back once, twice, or by their end.
void holder(connection_manager& manager, account& count, const std::atomic<bool>& over, unsigned seed) {
  dice random{seed};
  while (!over) try {
      lease_options options;
      options.timeout = milliseconds{roll(random, 3) == 0 ? 50 : 3000};
      options.wait = roll(random, 4) != 0;
      auto held = manager.get_connection(options);
      ++count.leases;
      for (int i = roll(random, 4); i > 0; --i) send(held, any_request(random), count, {milliseconds{500}});
      if (roll(random, 8) == 0)
        send(held, make_request(extended_request{"1.2.3.4", std::nullopt, false}), count, {milliseconds{500}});
      if (roll(random, 2) == 0) (void)held.try_whoami({500ms});
      if (roll(random, 2) == 0) (void)held.release();
      if (roll(random, 4) == 0) (void)held.release();
    } catch (const ldap_exception&) {
      ++count.lease_errors;
    }
}

/// One of the things that servers do.
void misbehave(stub_directory& server, dice& random) {
  const int some = 1 + roll(random, 4);
  switch (roll(random, 12)) {
    case 0:
      return server.close_all();
    case 1:
      return server.reset_all();
    case 2:
      server.disturb_all({.silent = true}, some);
      return;
    case 3:
      server.disturb_all({.silent = true, .then = ending::close}, some);
      return;
    case 4:
      server.disturb_all({.half = true, .then = ending::reset}, some);
      return;
    case 5:
      server.on(operation::search, reply{{.code = result_code::busy}, {}}, some);
      return;
    case 6:
      server.disturb(operation::search, {.after_abandon = true}, some);
      return;
    case 7:
      return server.send_to_all("no LDAP at all");
    case 8:
      return server.notice_of_disconnection();
    case 9:
      server.disturb_all({.delay = 30ms}, 4 * some);
      return;
    case 10:
      server.reset_newcomers(true);
      return;
    default:
      server.stop();
      return;
  }
}

void behave(stub_directory& server) {
  server.reset_newcomers(false);
  server.start();
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_28_whatever_happens_each_request_has_one_outcome_and_counters_are_exact) {
  leak_guard leaks;
  const auto seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  stub_options with;
  with.passwords[admin_dn] = admin_password;
  for (int i = 0; i < 10; ++i) with.passwords[user_dn(i)] = "right";
  stub_directory a(with), b(with);
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  for (auto& server : all.servers) {
    server.pool_size = 2;
    server.max_pool_size = 6;
    server.timeout = 2s;
  }
  all.pool.max_lifetime = 1s;
  all.pool.max_in_flight = 4;
  all.pool.max_waiters = 30;
  all.log.level = log_level::error;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);

  account count;
  std::atomic<bool> over{false};
  std::vector<std::thread> callers;
  for (unsigned i = 0; i < 3; ++i) callers.emplace_back([&, i] { caller(manager, count, over, seed + i); });
  for (unsigned i = 0; i < 3; ++i) callers.emplace_back([&, i] { holder(manager, count, over, seed + 100 + i); });
  dice random{seed};
  for (int i = 0; i < 250; ++i) {
    auto& server = roll(random, 3) == 0 ? b : a;
    misbehave(server, random);
    const auto before = count.outcomes.load();
    eventually([&] { return count.outcomes > before + 10; }, 100ms);
    behave(server);
    const auto successes = count.succeeded.load();
    eventually([&] { return count.succeeded > successes + 10; }, 30ms);
    for (const auto& seen : manager.snapshot().servers) {
      check_leases(seen.pool);
      BOOST_TEST(seen.pool.leased <= 6u);
      BOOST_TEST(seen.pool.now.size <= 6u);
    }
  }
  // However slow the machine was: as much as it takes to mean something.
  BOOST_TEST(eventually([&] { return count.succeeded > 200u && count.leases > 20u; }));
  over = true;
  for (auto& one : callers) one.join();
  for (auto* server : {&a, &b}) {
    server->forget_rules();
    behave(*server);
  }
  BOOST_TEST(eventually([&] { return count.settled(); }), count.requests - count.outcomes << " without an outcome");
  BOOST_TEST(count.twice == 0u);
  BOOST_TEST(count.requests > 200u);
  BOOST_TEST(a.most_open_connections() <= 6u);
  BOOST_TEST(b.most_open_connections() <= 6u);
  end_scenario(manager, {a, b});
  BOOST_TEST(count.twice == 0u);
  const auto totals = manager.snapshot().operations;
  BOOST_TEST(totals.total == totals.succeeded + totals.failed);
  BOOST_TEST(totals.total >= count.requests, "requests that were not counted");
  BOOST_TEST(std::accumulate(totals.by_error.begin(), totals.by_error.end(), std::uint64_t{0}) == totals.total);
}
