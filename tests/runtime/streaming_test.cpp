// Streams through the facade: entries exactly once and in order, errors as values and exceptions, leases returned
// clean, and an end whatever happens.
#include "runtime/stream_fixture.hpp"

#include <boost/test/unit_test.hpp>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;
using test::eventually;
using test::info_of;
using test::nothing_is_leased;
using test::people;
using test::text;
using test::users;

BOOST_AUTO_TEST_CASE(a_stream_gives_every_entry_once_and_a_summary_at_the_end) {
  test::slapd_options with;
  with.users = 1000;
  test::slapd server(with);
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  stream_options options;
  options.window = 16;
  std::size_t n = 0;
  auto found = manager.stream(users(), options);
  BOOST_CHECK_EXCEPTION(found.summary(), ldap_exception, [](auto& e) { return e.code() == errc::invalid_request; });
  for (auto& one : found) BOOST_TEST_REQUIRE(one.first("uid") == "user" + std::to_string(n++));
  BOOST_TEST(n == 1000u);
  BOOST_TEST((found.error() == nullptr));
  BOOST_TEST(found.summary().code == result_code::success);
  BOOST_TEST(found.summary().server == "127.0.0.1:" + std::to_string(server.port()));
  BOOST_TEST(found.summary().entries.empty());
  BOOST_TEST(!found.next().has_value());
  BOOST_TEST(nothing_is_leased(manager), "the lease of a stream that ended is not returned");
  BOOST_TEST(manager.get_metrics().total_operations == 1U);
  found.cancel();
  BOOST_TEST((found.error() == nullptr));
}

BOOST_AUTO_TEST_CASE(a_stream_runs_on_the_callers_lease_too) {
  test::slapd_options with;
  with.users = 200;
  test::slapd server(with);
  connection_pool pool(info_of(server), test::one_connection());
  auto mine = pool.get_connection();
  {
    auto found = mine.stream(users(), {0s, 8});
    BOOST_TEST(found.next().value().first("uid") == "user0");
    const auto other = mine.try_whoami();
    BOOST_TEST(other.code() == errc::invalid_request);
  }
  // What was not read is abandoned; the lease is the caller's still.
  BOOST_TEST(static_cast<bool>(mine));
  BOOST_TEST(mine.whoami() == std::string{"dn:"} + test::admin_dn);
  BOOST_TEST(server.counters().abandons == 1u);
  std::size_t n = 0;
  for (auto again = mine.stream(users(), {0s, 8}); again.try_next();) ++n;
  BOOST_TEST(n == 200u);
  auto unread = mine.stream(users(), {0s, 8});
  BOOST_TEST(mine.release());
  while (unread.try_next()) ++n;
  BOOST_TEST_REQUIRE((unread.error() != nullptr));
  BOOST_TEST(unread.error()->code == errc::invalid_lease, text(unread.error()));
  BOOST_CHECK_THROW(unread.next(), connection_unhealthy);
  BOOST_TEST(pool.whoami() == std::string{"dn:"} + test::admin_dn);
}

BOOST_AUTO_TEST_CASE(a_stream_that_is_dropped_or_cancelled_returns_its_connection_clean) {
  test::stub_directory server;
  server.set_entries(people(5000, 200));
  connection_pool pool(info_of(server), test::one_connection());
  for (int i = 0; i < 5; ++i) {
    auto found = pool.stream(users(), {0s, 10});
    BOOST_TEST_REQUIRE(found.next().has_value());
    if (i % 2 == 0) continue;
    found.cancel();
    BOOST_TEST(!found.try_next().has_value());
    BOOST_TEST(found.error()->code == errc::cancelled);
    BOOST_CHECK_EXCEPTION(found.next(), ldap_exception, [](auto& e) { return e.code() == errc::cancelled; });
    BOOST_CHECK_THROW(found.summary(), ldap_exception);
  }
  BOOST_TEST(eventually([&] { return server.count(test::operation::abandon) == 5u; }));
  server.set_entries(test::stub_directory::generator{});
  BOOST_TEST(pool.search(test::directory_suffix, "(uid=user7)").size() == 1u);
  BOOST_TEST(server.connections() == 1u);
  test::check_leases(pool.snapshot());
  BOOST_TEST(pool.snapshot().leased == 0u);
}

BOOST_AUTO_TEST_CASE(a_stream_is_cancelled_by_another_thread_while_its_reader_waits) {
  test::stub_directory server;
  test::stall_after(server, 3);
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  auto found = manager.stream(users());
  for (int i = 0; i < 3; ++i) BOOST_TEST_REQUIRE(found.next().has_value());
  std::thread other([&] { found.cancel(); });
  BOOST_TEST(!found.try_next().has_value());
  other.join();
  BOOST_TEST(found.error()->code == errc::cancelled);
  server.forget_rules();
  BOOST_TEST(nothing_is_leased(manager));
}

BOOST_AUTO_TEST_CASE(the_whole_of_a_stream_has_one_deadline) {
  test::stub_directory server;
  test::stall_after(server, 3);
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  auto found = manager.stream(users(), {1s});
  std::size_t n = 0;
  while (found.try_next()) ++n;
  BOOST_TEST(n == 3u);
  BOOST_TEST(found.error()->code == errc::operation_timeout, text(found.error()));
  BOOST_CHECK_THROW(found.next(), operation_timeout);
  BOOST_TEST(eventually([&] { return server.count(test::operation::abandon) == 1u; }));
  server.forget_rules();
  BOOST_TEST(nothing_is_leased(manager));
  // The connection is taken within the same deadline.
  pool_options options = test::one_connection();
  connection_pool pool(info_of(server), options);
  auto taken = pool.get_connection();
  auto late = pool.stream(users(), {300ms});
  BOOST_TEST(!late.try_next().has_value());
  BOOST_TEST(late.error()->code == errc::pool_timeout, text(late.error()));
}

BOOST_AUTO_TEST_CASE(what_cannot_begin_is_the_streams_error) {
  test::stub_directory server;
  connection_manager manager(info_of(server));
  auto early = manager.stream(users());
  BOOST_TEST(!early.try_next().has_value());
  BOOST_TEST(early.error()->code == errc::stopped);
  BOOST_CHECK_THROW(early.next(), ldap_exception);
  BOOST_REQUIRE(manager.connect().connected);
  for (const std::uint32_t window : {0u, 65537u}) {
    auto wrong = manager.stream(users(), {0s, window});
    BOOST_TEST(!wrong.try_next().has_value());
    BOOST_TEST(wrong.error()->code == errc::invalid_request);
    BOOST_TEST(wrong.error()->message.find("65536") != std::string::npos, wrong.error()->message);
  }
  auto malformed = users();
  malformed.filter = "(uid=";
  auto refused = manager.stream(malformed);
  BOOST_TEST(!refused.try_next().has_value());
  BOOST_TEST(refused.error()->code == errc::invalid_request);
  auto mine = manager.get_connection();
  mine.release();
  auto none = mine.stream(users());
  BOOST_TEST(!none.try_next().has_value());
  BOOST_TEST(none.error()->code == errc::invalid_lease);
  auto moved = std::move(none);
  BOOST_TEST(none.error()->code == errc::invalid_request);  // NOLINT: what a moved-from stream says is meant
  BOOST_TEST(!none.try_next().has_value());
  BOOST_TEST(nothing_is_leased(manager));
}

BOOST_AUTO_TEST_CASE(a_stop_wakes_who_waits_in_next) {
  test::stub_directory server;
  test::stall_after(server, 3);
  connection_manager manager(test::hasty(info_of(server)));
  BOOST_REQUIRE(manager.connect().connected);
  auto found = manager.stream(users(), {60s});
  for (int i = 0; i < 3; ++i) BOOST_TEST_REQUIRE(found.next().has_value());
  std::thread stopping([&] { manager.disconnect(); });
  BOOST_TEST(!found.try_next().has_value());
  stopping.join();
  const auto code = found.error()->code;
  BOOST_TEST((code == errc::draining || code == errc::stopped), text(found.error()));
  BOOST_TEST(!found.try_next().has_value());
}

BOOST_AUTO_TEST_CASE(a_stream_outlives_its_manager_and_says_so) {
  test::stub_directory server;
  server.set_entries(people(1000));
  std::optional<search_stream> found;
  std::optional<paged_search> pages;
  {
    connection_manager manager(test::hasty(info_of(server)));
    BOOST_REQUIRE(manager.connect().connected);
    found.emplace(manager.stream(users(), {60s, 4}));
    pages.emplace(manager.paged(users()));
    BOOST_TEST(found->next().has_value());
  }
  while (found->try_next()) continue;
  const auto code = found->error()->code;
  BOOST_TEST((code == errc::draining || code == errc::stopped), text(found->error()));
  BOOST_TEST(!pages->try_next_page().has_value());
  BOOST_TEST((pages->error() != nullptr));
}

BOOST_AUTO_TEST_CASE(reading_a_stream_inside_a_completion_is_refused) {
  test::stub_directory server;
  test::stall_after(server, 3);
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  auto mine = manager.get_connection();
  auto found = mine.stream(users());
  for (int i = 0; i < 3; ++i) BOOST_TEST_REQUIRE(found.next().has_value());
  std::promise<failure_ptr> told;
  manager.start(make_request(whoami_request{}), [&](outcome) {
    found.try_next();
    told.set_value(found.error());
  });
  const auto why = told.get_future().get();
  BOOST_TEST_REQUIRE((why != nullptr));
  BOOST_TEST(why->code == errc::invalid_request, text(why));
}

BOOST_AUTO_TEST_CASE(a_size_limit_gives_the_entries_up_to_it_and_then_the_error) {
  test::slapd_options with;
  with.users = 300;
  test::slapd server(with);
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  auto limited = users();
  limited.size_limit = 120;
  auto found = manager.stream(limited, {0s, 7});
  std::size_t n = 0;
  while (found.try_next()) ++n;
  BOOST_TEST(n == 120u);
  BOOST_TEST_REQUIRE((found.error() != nullptr));
  BOOST_TEST(found.error()->ldap_code == result_code::size_limit_exceeded);
  BOOST_CHECK_THROW(found.next(), ldap_error);
  const auto plain = manager.try_search(limited);
  BOOST_TEST_REQUIRE((plain.error() && plain.error()->partial));
  BOOST_TEST(plain.error()->partial->entries.size() == 120u);
  BOOST_TEST(nothing_is_leased(manager));
}
