// Leases of the pool actor: granted, claimed, returned, and ended with their holder or their connection.
#include "pool/pool_fixture.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

BOOST_FIXTURE_TEST_CASE(a_lease_is_announced_granted_claimed_and_returned, pool_fixture) {
  begin();
  const auto grant = ask<lease_grant>(pool, lease_atom_v, wish());
  BOOST_TEST_REQUIRE(grant.ok());
  const auto& fake = server->made[0];
  BOOST_TEST((fake->leases == std::vector<lease_id>{grant.value->id}));
  BOOST_TEST(grant.value->connection_number == fake->spec.id);
  BOOST_TEST(grant.value->server_name == "ldap1:389");
  // The one who asked has ended by now: its lease came back.
  BOOST_TEST((fake->resets == std::vector<lease_id>{grant.value->id}));
  BOOST_TEST(ask<bool>(pool, release_atom_v, grant.value->id).code() == errc::invalid_lease);
  exact();
}

/// An open connection that answers shows that its server lives, whoever has it: no new one may be had beside it.
BOOST_FIXTURE_TEST_CASE(leased_connections_are_asked_too, pool_fixture) {
  begin();
  auto granted = std::make_shared<std::vector<lease_grant>>();
  const auto holder = system.spawn(holding, pool, wish(), granted);
  run();
  BOOST_TEST_REQUIRE(server->made.size() == 1U);
  const auto& fake = server->made[0];
  const auto checks = fake->checks;
  const auto found = ask<pool_health>(pool, check_atom_v, clock->now() + seconds{2});
  BOOST_TEST_REQUIRE(found.ok());
  BOOST_TEST(fake->checks == checks + 1);
  BOOST_TEST(found.value->answered == 1U);
  BOOST_TEST(found.value->healthy_connections == 1U);
  fake->unwell = true;
  const auto unwell = ask<pool_health>(pool, check_atom_v, clock->now() + seconds{2});
  BOOST_TEST(unwell.value->answered == 0U);
  BOOST_TEST(status().leased == 1U, "its holder finds out by itself");
  kill(holder);
}

BOOST_FIXTURE_TEST_CASE(a_lease_lasts_as_long_as_its_holder, pool_fixture) {
  begin();
  auto granted = std::make_shared<std::vector<lease_grant>>();
  const auto holder = system.spawn(holding, pool, wish(), granted);
  run();
  BOOST_TEST_REQUIRE(granted->size() == 1U);
  advance(seconds{30});
  BOOST_TEST(status().leased == 1U);
  BOOST_TEST(server->made[0]->resets.empty());
  kill(holder);
  BOOST_TEST(status().leased == 0U);
  BOOST_TEST(server->made[0]->resets.size() == 1U);
  exact();
}

BOOST_FIXTURE_TEST_CASE(a_returned_lease_is_reset_and_its_holder_no_longer_watched, pool_fixture) {
  begin();
  auto granted = std::make_shared<std::vector<lease_grant>>();
  const auto holder = system.spawn(holding, pool, wish(), granted);
  run();
  BOOST_TEST(*ask<bool>(pool, release_atom_v, granted->at(0).id).value);
  BOOST_TEST(server->made[0]->resets.size() == 1U);
  kill(holder);
  exact();
  BOOST_TEST(server->made[0]->resets.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_leased_connection_that_breaks_ends_the_lease, pool_fixture) {
  begin();
  auto granted = std::make_shared<std::vector<lease_grant>>();
  const auto holder = system.spawn(holding, pool, wish(), granted);
  run();
  say(server->made[0], connection_event::kind::closed, std::make_shared<const failure>(server->connect_error));
  BOOST_TEST(server->made[0]->removed);
  BOOST_TEST(status().leased == 0U);
  const auto first = ask<bool>(pool, release_atom_v, granted->at(0).id);
  BOOST_TEST_REQUIRE(first.ok());
  BOOST_TEST(!*first.value);
  BOOST_TEST(ask<bool>(pool, release_atom_v, granted->at(0).id).code() == errc::invalid_lease);
  exact();
  kill(holder);
}
