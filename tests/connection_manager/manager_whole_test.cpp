// The manager with its real children, on virtual time; only the connections are made up: what they would bind with and
// what became of it.
#include "made_up_directory.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/actor_registry.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using std::chrono::minutes;

BOOST_FIXTURE_TEST_CASE(right_password_serves_from_the_preferred_server, whole) {
  begin();
  const auto found = search();
  BOOST_REQUIRE(found.ok());
  BOOST_TEST((*found.value)->server == "ldap1:389");
  const auto now = status();
  BOOST_TEST((now.active_priority == std::optional{1}));
  BOOST_TEST(now.servers.size() == 3U);
  BOOST_TEST(!now.credentials_refused);
}

BOOST_FIXTURE_TEST_CASE(scenario_15_wrong_password_of_pools_and_probes_costs_one_bind, whole) {
  in_file = "wrong";
  begin();
  BOOST_TEST(world->binds == 1);
  const auto found = search();
  BOOST_TEST((found.code() == errc::service_authentication_failed));
  BOOST_TEST(status().credentials_refused);
  advance(minutes{14});
  BOOST_TEST(world->binds == 1);
  advance(minutes{46});
  BOOST_TEST(world->binds <= 5);  // one each credential_retry
  BOOST_TEST(world->binds >= 4);
  in_file = "right";
  advance(seconds{70});
  BOOST_TEST(search().ok());
  BOOST_TEST(!status().credentials_refused);
}

BOOST_FIXTURE_TEST_CASE(drain_of_the_whole_is_clean, whole) {
  begin();
  search();
  const auto done = virtual_runtime::start<bool>(manager, drain_atom_v, now() + seconds{10});
  advance(seconds{11});
  BOOST_REQUIRE(done->ok());
  BOOST_TEST(*done->value);
  BOOST_TEST(system.registry().running() == 0U);
}

BOOST_FIXTURE_TEST_CASE(drain_with_mute_connections_ends_in_time, whole) {
  begin();
  world->mute_drain = true;
  const auto done = virtual_runtime::start<bool>(manager, drain_atom_v, now() + seconds{2});
  advance(seconds{2} + milliseconds{500});
  BOOST_REQUIRE(done->ok());
  BOOST_TEST(!*done->value);
  run();
  BOOST_TEST(system.registry().running() == 0U);
}
