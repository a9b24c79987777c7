// Servers that come and go under a breaker at work: who left may still be cancelled, who is missing is looked for.
#include "breaker_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

struct changing : breaker_fixture {
  void route_to(const std::vector<std::size_t>& which) {
    std::vector<routed_server> table;
    for (const auto i : which)
      table.push_back({context(all.servers[i], all, static_cast<server_id>(i)), pools[i]->handle});
    tell(breaker, servers_atom_v, table);
  }
  /// Counts how often it is told that no server is left.
  caf::actor finder(int& told) {
    return own(system.spawn([&told]() -> caf::behavior { return {[&told](discover_atom) { ++told; }}; }));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_request_at_a_server_that_left_can_be_cancelled, changing) {
  pools[0]->keeps = true;
  auto c = ask_for();
  c.token = std::make_shared<cancel_token>();
  const auto pending = start<result_ptr>(breaker, perform_atom_v, c);
  run();
  BOOST_REQUIRE(pools[0]->calls.size() == 1U);
  route_to({1});
  tell(breaker, cancel_atom_v, c.token);
  BOOST_TEST(pools[0]->cancels.size() == 1U);
  BOOST_TEST(perform().ok());
  BOOST_TEST(pools[0]->calls.size() == 1U);
  BOOST_TEST(pools[1]->calls.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_stays_keeps_its_breaker_whatever_its_place, changing) {
  fail(1);
  BOOST_TEST(status(1).breaker == breaker_state::open);
  all.servers[1].priority = 0;
  route_to({1});
  BOOST_TEST(status(1).breaker == breaker_state::open);
  BOOST_TEST(status(1).priority == 0);
  BOOST_TEST(perform().code() == errc::breaker_open);
}

BOOST_FIXTURE_TEST_CASE(without_servers_requests_are_told_why, changing) {
  failure f;
  f.code = errc::no_server;
  f.message = "DNS has not answered";
  tell(breaker, servers_atom_v, failure_ptr{std::make_shared<const failure>(f)});
  BOOST_TEST(perform().ok());
  route_to({});
  const auto refused = perform();
  BOOST_TEST(refused.code() == errc::no_server);
  BOOST_TEST(refused.error->message == "DNS has not answered");
  route_to({0});
  BOOST_TEST(perform().ok());
}

BOOST_FIXTURE_TEST_CASE(who_looks_for_servers_is_told_when_the_last_one_fails, changing) {
  int told = 0;
  const auto looking = finder(told);
  tell(breaker, discover_atom_v, looking.address());
  fail(0);
  BOOST_TEST(told == 0);
  fail(1);
  BOOST_TEST(told == 1);
  fail(1);
  BOOST_TEST(told == 1);
  // Those that were found instead fail too.
  pools.push_back(pools[0]);
  all.servers.push_back(all.servers[0]);
  all.servers[2].host = "other";
  route_to({2});
  fail(2);
  BOOST_TEST(told == 2);
}
