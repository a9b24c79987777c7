// Scenarios 6, 8, 9: servers that answer, but with half a result, with "busy", or with errors.
#include "scenarios/evidence.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

bool is_for_user(const directory_request& request) { return request.filter == "(uid=user1)"; }

std::uint64_t user_searches(const stub_directory& at) {
  const auto all = at.requests(operation::search);
  return static_cast<std::uint64_t>(std::count_if(all.begin(), all.end(), is_for_user));
}

std::vector<entry> five_entries() {
  std::vector<entry> all;
  for (int i = 0; i < 5; ++i) all.push_back({user_dn(i), {{"uid", {"user" + std::to_string(i)}}}});
  return all;
}

/// From now on the user searches at `at` are answered with `code`, when `refused` says so of their number.
void refuse_searches(stub_directory& at, int code, std::function<bool(std::uint64_t number)> refused) {
  at.when(is_for_user,
          [&at, code, refused = std::move(refused), first = user_searches(at)](const directory_request& r) {
            return refused(user_searches(at) - first) ? reply{{.code = code}, {}} : at.usual(r);
          });
}

/// By hand: its breaker is no longer open.
void put_back(connection_manager& manager, std::uint16_t port) {
  BOOST_TEST(manager.suspend(name_of(port)));
  BOOST_TEST(manager.resume(name_of(port)));
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_06_a_reset_among_the_entries_never_gives_a_short_result) {
  leak_guard leaks;
  stub_directory a, b;
  a.set_entries(five_entries());
  b.set_entries(five_entries());
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  for (const auto how : {ending::reset, ending::close}) {
    for (std::size_t sent = 0; sent <= 5; ++sent) {
      const auto before = user_searches(a) + user_searches(b);
      const auto rule = a.when(is_for_user, [&a, sent, how](const directory_request& r) {
        return reply{a.usual(r).what, {.entries = sent, .then = how}};
      });
      const auto answer = manager.try_search(search_for("(uid=user1)"), {20s});
      a.forget(rule);
      BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
      BOOST_TEST(answer->entries.size() == 5u, "cut off after " << sent);
      for (int i = 0; i < 5; ++i) BOOST_TEST(answer->entries[static_cast<std::size_t>(i)].dn == user_dn(i));
      BOOST_TEST(user_searches(a) + user_searches(b) > before);
    }
  }
  // At least the first was cut off and asked again.
  BOOST_TEST(manager.snapshot().operations.recast >= 1u);
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_06_without_a_retry_it_is_a_typed_error) {
  leak_guard leaks;
  stub_directory a;
  a.set_entries(five_entries());
  auto server = server_at(a.port());
  server.max_retries = 0;
  auto all = quick_settings({server});
  all.recovery.reconnect_attempts = 0;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto cut = [&a](const directory_request& r) {
    return reply{a.usual(r).what, {.entries = 3, .then = ending::reset}};
  };
  a.when(is_for_user, cut, 1);
  const auto answer = manager.try_search(search_for("(uid=user1)"), {20s});
  BOOST_TEST(answer.code() == errc::connection_failed, why(answer));
  BOOST_TEST_REQUIRE(eventually([&] { return ready_connections(manager, a.port()) >= 2; }));
  auto own = manager.get_connection();
  a.when(is_for_user, cut, 1);
  const auto leased = own.try_search(search_for("(uid=user1)"), {20s});
  BOOST_TEST(leased.code() == errc::connection_unhealthy, why(leased));
  own.release();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_08_five_busy_answers_open_the_breaker_without_a_reconnect) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  stay_open_until_put_back(all);
  all.servers[0].max_pool_size = all.servers[0].pool_size;  // it grows for nobody
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(eventually([&] { return server_in(manager.snapshot(), a.port()).pool.now.idle >= 2u; }));
  const auto connections = a.connections();
  const auto binds = a.binds().size();
  a.on(operation::search, reply{{.code = result_code::busy}, {}});
  for (int i = 0; i < 5; ++i) {
    BOOST_TEST(server_in(manager.snapshot(), a.port()).breaker_opened == 0u);
    const auto answer = manager.try_search(search_for("(uid=user1)"), {10s});
    BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
    BOOST_TEST(answer->server == name_of(b.port()));
    BOOST_TEST(user_searches(a) == static_cast<std::uint64_t>(i) + 1);
  }
  BOOST_TEST(server_in(manager.snapshot(), a.port()).breaker_opened == 1u);
  BOOST_TEST(a.connections() == connections);
  BOOST_TEST(a.binds().size() == binds);
  BOOST_TEST(a.count(operation::unbind) == 0u);
  a.forget_rules();
  put_back(manager, a.port());
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_08_writes_that_a_server_is_too_busy_for_are_carried_out_by_another) {
  leak_guard leaks;
  stub_directory a, b;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.on(operation::modify, reply{{.code = result_code::busy}, {}});
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST_REQUIRE(static_cast<bool>(manager.try_search(search_for("(uid=user1)"), {10s})));
    const auto answer = manager.try_modify(replace_description(user_dn(1), "x"), {10s});
    BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
  }
  BOOST_TEST(b.count(operation::modify) == 20u);
  a.forget_rules();
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_09_unavailable_on_half_of_forty_calls_opens_by_rate) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  stay_open_until_put_back(all);
  all.breaker.window = 1h;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  refuse_searches(a, result_code::unavailable, [](std::uint64_t number) { return number % 2 == 0; });
  for (int i = 0; i < 40 && server_in(manager.snapshot(), a.port()).breaker_opened == 0; ++i)
    (void)manager.try_search(search_for("(uid=user1)"), {10s});
  BOOST_TEST(eventually([&] { return server_in(manager.snapshot(), a.port()).breaker_opened == 1u; }));
  // Never two in a row: it was the rate, of at least twenty calls.
  BOOST_TEST(user_searches(a) >= 20u);
  BOOST_TEST(user_searches(a) <= 40u);
  a.forget_rules();
  put_back(manager, a.port());
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_09_unavailable_on_a_third_of_forty_calls_stays_closed) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  probe_nobody(all);
  all.breaker.window = 1h;
  all.recovery.auto_recovery = false;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  refuse_searches(a, result_code::unavailable, [](std::uint64_t number) { return number % 3 == 2; });
  for (int i = 0; i < 40; ++i) (void)manager.try_search(search_for("(uid=user1)"), {10s});
  BOOST_TEST(user_searches(a) == 40u);
  BOOST_TEST(!server_in(manager.snapshot(), a.port()).last_error.empty());
  BOOST_TEST(server_in(manager.snapshot(), a.port()).breaker_opened == 0u);
  a.forget_rules();
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_09_a_hundred_answers_of_no_such_object_leave_it_closed) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  probe_nobody(all);
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  refuse_searches(a, result_code::no_such_object, [](std::uint64_t) { return true; });
  for (int i = 0; i < 100; ++i) {
    const auto answer = manager.try_search(search_for("(uid=user1)"), {10s});
    BOOST_TEST_REQUIRE((answer.code() == errc::ldap_error), why(answer));
    BOOST_TEST(answer.error()->ldap_code == result_code::no_such_object);
  }
  const auto seen = server_in(manager.snapshot(), a.port());
  BOOST_TEST(seen.breaker == breaker_state::closed);
  BOOST_TEST(seen.breaker_opened == 0u);
  BOOST_TEST(user_searches(a) == 100u);
  BOOST_TEST(user_searches(b) == 0u);
  a.forget_rules();
  end_scenario(manager, {a, b});
}
