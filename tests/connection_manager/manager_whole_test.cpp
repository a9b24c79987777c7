// The manager with its real children, on virtual time; only the connections are made up: what they would bind with and
// what became of it.
#include "made_up_directory.hpp"
#include "understudy/runtime/client/readiness.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/actor_registry.hpp>
#include <caf/event_based_actor.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using std::chrono::minutes;

namespace {

/// Takes a lease; when it is told to end gives it back before that, or not.
caf::behavior lease_holder(caf::event_based_actor* self, connection_manager_actor manager, lease_request wish,
                           bool in_order) {
  install_default_handlers(*self);
  auto held = std::make_shared<std::optional<lease_grant>>();
  self->request(manager, caf::infinite, lease_atom_v, std::move(wish)).then([=](const lease_grant& grant) {
    *held = grant;
    self->send(manager, claim_atom_v, grant.server, grant.id);
  });
  return {[=](tick_atom, std::uint64_t) {
    if (in_order) caf::anon_send(manager, release_atom_v, held->value().server, held->value().id);
    self->quit();
  }};
}

}  // namespace

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

// Its return goes by way of the manager; that it ended is told the pool directly, and first.
BOOST_FIXTURE_TEST_CASE(who_gives_a_lease_back_and_ends_is_no_leak, whole) {
  begin();
  for (const bool in_order : {true, false}) {
    lease_request wish;
    wish.deadline = now() + seconds{3};
    wish.holder = "tester";
    const auto holder = system.spawn(lease_holder, manager, wish, in_order);
    run();
    BOOST_TEST_REQUIRE(status().servers[0].pool.leased == 1U);
    caf::anon_send(holder, tick_atom_v, std::uint64_t{1});
    run();
    const auto pool = status().servers[0].pool;
    BOOST_TEST(pool.leased == 0U);
    BOOST_TEST(pool.acquired == pool.released);
    BOOST_TEST(log->count("taken back: its holder ended") == (in_order ? 0U : 1U));
  }
}

// ---- what is told of servers ----

BOOST_FIXTURE_TEST_CASE(a_server_of_which_nothing_was_heard_is_not_called_healthy, whole) {
  all.pool.min_connections = 0;
  all.pool.preload_connections = false;
  all.failover.health_check_interval = minutes{10};
  launch();
  for (const auto& server : status().servers) BOOST_TEST(state_name(server) == "not tried yet");
  BOOST_TEST(search().ok());
  const auto now = status().servers;
  BOOST_TEST(state_name(now[0]) == "healthy");
  BOOST_TEST(state_name(now[2]) == "not tried yet");
  advance(minutes{21});
  for (const auto& server : status().servers) BOOST_TEST(state_name(server) == "healthy");
}

BOOST_FIXTURE_TEST_CASE(while_all_servers_hang_none_is_told_as_usable, whole) {
  begin();
  BOOST_TEST(is_usable(status()));
  for (const server_id id : {0U, 1U, 2U}) pause(id);
  BOOST_TEST(!search().ok());
  advance(seconds{10});
  // Half open now and then, with connections that were never closed.
  for (int i = 0; i < 300; ++i) {
    BOOST_TEST_REQUIRE(!is_usable(status()));
    advance(seconds{1});
  }
  bring_up(1);
  advance(seconds{73});
  BOOST_TEST(is_usable(status()));
  BOOST_TEST(search().ok());
}

/// Silence proves nothing: with no other server a slow answer is no outage.
BOOST_AUTO_TEST_CASE(an_only_server_that_is_slow_is_told_as_usable_all_the_time) {
  whole only{std::vector<int>{1}};
  only.begin();
  only.world->servers[0].answer_time = seconds{3};
  const auto asked = only.start<result_ptr>(only.manager, perform_atom_v, only.call_of(search_request{}, seconds{30}));
  only.run();
  for (int i = 0; i < 40; ++i) {
    BOOST_TEST_REQUIRE(is_usable(only.status()));
    only.advance(milliseconds{100});
  }
  BOOST_TEST(asked->ok());
}

// ---- clients that bind as the service ----

namespace {

struct claims : whole {
  claims() {
    all.pool.min_connections = 0;
    all.pool.preload_connections = false;
    all.failover.health_check_interval = minutes{10};
  }
  auto claim(const std::string& password) {
    auto answer = virtual_runtime::start<service_claim>(manager, credential_atom_v, all.servers[0].bind_dn,
                                                        secret{std::string_view{password}});
    run();
    return answer;
  }
  static bool is(const answer_ptr<service_claim>& got, service_claim wanted) {
    return got->ok() && *got->value == wanted;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_client_waits_for_the_first_bind_of_the_service_and_no_longer, claims) {
  for (const server_id id : {0U, 1U, 2U}) world->servers[id].answer_time = milliseconds{100};
  launch();
  const auto right = claim("right"), wrong = claim("wrong");
  BOOST_TEST(!right->done());
  BOOST_TEST(!wrong->done());
  advance(seconds{1});
  BOOST_TEST(is(right, service_claim::right));
  BOOST_TEST(is(wrong, service_claim::wrong));
}

BOOST_FIXTURE_TEST_CASE(a_hung_primary_does_not_have_clients_refused_that_another_server_lets_in, claims) {
  world->servers[0].hangs_at_bind = true;
  world->servers[0].paused = true;
  launch();
  const auto one = claim("right");
  BOOST_TEST(!one->done());
  advance(seconds{1} + milliseconds{500});
  BOOST_TEST(is(one, service_claim::right));
}

BOOST_FIXTURE_TEST_CASE(where_no_server_answers_clients_are_told_at_once, claims) {
  for (const server_id id : {0U, 1U, 2U}) world->servers[id].accepts = false;
  launch();
  const auto first = claim("right");
  advance(milliseconds{10});
  BOOST_TEST(is(first, service_claim::unknown));
  BOOST_TEST(is(claim("right"), service_claim::unknown));
  for (const server_id id : {0U, 1U, 2U}) world->servers[id].accepts = true;
  advance(seconds{3});
  const auto again = claim("right");
  advance(milliseconds{100});
  BOOST_TEST(is(again, service_claim::right));
}
