// Scenario 17: whatever the holder of a lease did to its session, the next one sees the service's identity.
#include "scenarios/pool_rig.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// A pool of exactly one connection (the monitor finds no socket for one of its own).
settings sole_connection(std::uint16_t port) { return one_pool(port, 1, 1); }

/// Who the directory says that the next holder and the next shared operation are.
void check_next_identity(connection_manager& manager) {
  const auto shared = manager.try_whoami({10s});
  BOOST_TEST_REQUIRE(static_cast<bool>(shared), why(shared));
  BOOST_TEST(shared->response_value.value_or("") == service_identity());
  auto next = manager.get_connection();
  BOOST_TEST(next.whoami() == service_identity());
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_17_the_next_holder_is_the_service_whoever_the_last_one_bound_as) {
  leak_guard leaks;
  slapd a;
  connection_manager manager(sole_connection(a.port()));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  for (int i = 0; i < 5; ++i) {
    auto held = manager.get_connection();
    held.bind({user_dn(i), secret{user_password(i)}});
    BOOST_TEST(held.whoami() == "dn:" + user_dn(i));
    BOOST_TEST(held.release());
    check_next_identity(manager);
  }
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_17_a_refused_bind_leaves_nothing_to_the_next_holder) {
  leak_guard leaks;
  slapd a;
  connection_manager manager(sole_connection(a.port()));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  {
    auto held = manager.get_connection();
    BOOST_TEST(held.try_bind({user_dn(1), secret{"wrong"}}).code() == errc::authentication_failed);
    BOOST_TEST(held.whoami().empty(), "a refused bind leaves the session anonymous (RFC 4511, 4.2.1)");
  }
  check_next_identity(manager);
  // A user's wrong password on a lease is no verdict on the service's.
  BOOST_TEST(!manager.snapshot().credentials_refused);
  BOOST_TEST(server_in(manager.snapshot(), a.port()).breaker_opened == 0u);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_17_a_session_whose_state_is_unknown_is_not_used_again) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(sole_connection(a.port()));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  // As StartTLS or a transaction would, these may leave something behind, also when they are refused.
  for (const auto code : {result_code::success, result_code::protocol_error}) {
    a.on(operation::extended, reply{{.code = code}, {}}, 1);
    auto held = manager.get_connection();
    (void)held.try_extended({"1.3.6.1.1.21.1", std::nullopt, false});
    const auto tainted = a.requests(operation::extended).back().connection;
    BOOST_TEST(held.release());
    check_next_identity(manager);
    BOOST_TEST(a.requests(operation::whoami).back().connection != tainted);
    BOOST_TEST(eventually([&] { return a.identities().count(tainted) == 0; }));
  }
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_17_a_bind_under_way_when_the_lease_ends_reaches_nobody_else) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(sole_connection(a.port()));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.when([](const directory_request& r) { return r.kind == operation::bind && r.dn == user_dn(1); },
         [](const directory_request&) {
           return reply{{}, {.delay = 300ms}};
         });
  auto held = manager.get_connection();
  auto bind = held.async_bind({user_dn(1), secret{"x"}}, {20s});
  BOOST_TEST_REQUIRE(eventually([&] { return last_bound_as(a, user_dn(1)) != 0; }));
  const auto changing = last_bound_as(a, user_dn(1));
  BOOST_TEST(held.release());
  BOOST_TEST_REQUIRE((bind.wait_for(20s) == std::future_status::ready));
  BOOST_TEST(!bind.get());
  check_next_identity(manager);
  BOOST_TEST(a.requests(operation::whoami).back().connection != changing);
  a.forget_rules();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_17_operations_left_open_end_with_the_lease_and_answer_nobody_else) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(sole_connection(a.port()));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.disturb(operation::search, {.after_abandon = true}, 3);
  auto held = manager.get_connection();
  std::vector<std::future<outcome>> open;
  for (int i = 0; i < 3; ++i) open.push_back(held.async_search(search_for("(uid=late)"), {20s}));
  BOOST_TEST_REQUIRE(eventually([&] { return a.count(operation::search) >= 3u; }));
  const auto connection = a.requests(operation::search).back().connection;
  BOOST_TEST(held.release());
  for (auto& one : open) {
    BOOST_TEST_REQUIRE((one.wait_for(20s) == std::future_status::ready));
    BOOST_TEST(one.get().code() == errc::invalid_lease);
  }
  // The late answers of what was abandoned are on their way; the same connection goes on.
  for (int i = 0; i < 10; ++i) {
    auto next = manager.get_connection();
    const auto found = next.search(search_for("(uid=user" + std::to_string(i) + ")"));
    BOOST_TEST_REQUIRE(found.entries.size() == 1u);
    BOOST_TEST(found.entries[0].first("uid") == "user" + std::to_string(i));
  }
  BOOST_TEST(a.count(operation::abandon) == 3u);
  BOOST_TEST(a.requests(operation::search).back().connection == connection);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_17_a_session_that_cannot_become_the_service_again_is_replaced) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(one_pool(a.port(), 2, 4));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  auto held = manager.get_connection();
  held.bind({user_dn(1), secret{"x"}});
  const auto theirs = last_bound_as(a, user_dn(1));
  // Its next bind, as the service again, is answered by the end of the connection.
  a.when([theirs](const directory_request& r) { return r.kind == operation::bind && r.connection == theirs; },
         [](const directory_request&) {
           return reply{{}, {.silent = true, .then = ending::reset}};
         });
  BOOST_TEST(held.release());
  BOOST_TEST(eventually([&] { return a.identities().count(theirs) == 0; }));
  check_next_identity(manager);
  a.forget_rules();
  BOOST_TEST(at_rest(manager, a.port(), 2));
  // Only now: the one that replaces it is connected before it has bound.
  for (const auto& [connection, identity] : a.identities()) BOOST_TEST(identity == admin_dn);
  end_scenario(manager, {a});
}
