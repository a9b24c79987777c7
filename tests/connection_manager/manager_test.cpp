// The root supervisor on virtual time: where requests go, the state of everything, supervision.
#include "manager_fixture.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/actor_registry.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using std::chrono::minutes;

namespace {

struct started : manager_fixture {
  started() { start(); }

  call request() const {
    call c;
    c.deadline = now() + seconds{5};
    return c;
  }
  circuit_breaker_actor router() { return *ask<circuit_breaker_actor>(manager, router_atom_v).value; }
};

bool told(const script& s, std::string_view message) {
  return std::find(s.told.begin(), s.told.end(), message) != s.told.end();
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(children_are_started_and_introduced, started) {
  BOOST_TEST(children.breaker.started == 1);
  BOOST_TEST(children.monitor.started == 1);
  BOOST_TEST(children.pools[0].started == 1);
  BOOST_TEST(children.pools[1].started == 1);
  BOOST_REQUIRE(children.breaker.table.size() == 2U);
  BOOST_TEST(children.breaker.table[0].context->name == "ldap1:389");
  BOOST_TEST(children.breaker.table[1].context->id == 1U);
  BOOST_TEST((children.breaker.table[1].pool == children.running[1]));
  BOOST_TEST((children.breaker.monitor == children.running_monitor.address()));
}

BOOST_FIXTURE_TEST_CASE(requests_go_to_the_breaker, started) {
  const auto answer = ask<result_ptr>(manager, perform_atom_v, request());
  BOOST_REQUIRE(answer.ok());
  BOOST_TEST((*answer.value)->server == "pool 0");
  BOOST_TEST((ask<lease_grant>(manager, lease_atom_v, lease_request{}).code() == errc::no_server));
  tell(manager, cancel_atom_v, std::make_shared<cancel_token>());
  BOOST_TEST(told(children.breaker, "lease"));
  BOOST_TEST(told(children.breaker, "cancel"));
}

BOOST_FIXTURE_TEST_CASE(each_server_is_asked_by_its_number, started) {
  BOOST_TEST(ask<pool_health>(manager, check_atom_v, server_id{1}, now()).value->healthy_connections == 11U);
  BOOST_TEST(*ask<std::uint32_t>(manager, cleanup_atom_v, server_id{0}).value == 20U);
  tell(manager, claim_atom_v, server_id{1}, lease_id{7});
  BOOST_TEST(*ask<bool>(manager, release_atom_v, server_id{1}, lease_id{7}).value);
  BOOST_TEST(told(children.pools[1], "claim 7"));
  BOOST_TEST(told(children.pools[1], "release 7"));
  BOOST_TEST(ask<std::vector<probe_report>>(manager, health_atom_v, now()).value->size() == 2U);
  BOOST_TEST(*ask<bool>(manager, suspend_atom_v, server_id{1}, std::uint32_t{9}).value);
  BOOST_TEST(*ask<bool>(manager, resume_atom_v, server_id{1}).value);
  BOOST_TEST(told(children.breaker, "suspend 1 9"));
  BOOST_TEST(told(children.breaker, "resume 1"));
}

BOOST_FIXTURE_TEST_CASE(unknown_servers_are_refused, started) {
  BOOST_TEST((ask<pool_health>(manager, check_atom_v, server_id{2}, now()).code() == errc::no_server));
  BOOST_TEST((ask<std::uint32_t>(manager, cleanup_atom_v, server_id{2}).code() == errc::no_server));
  BOOST_TEST((ask<bool>(manager, release_atom_v, server_id{2}, lease_id{1}).code() == errc::invalid_lease));
  tell(manager, claim_atom_v, server_id{2}, lease_id{1});
  BOOST_TEST(ask<result_ptr>(manager, perform_atom_v, request()).ok());
}

BOOST_FIXTURE_TEST_CASE(status_brings_everything_together, started) {
  metrics->finished(nullptr, milliseconds{1}, env->clock->now());
  probe_report checked;
  checked.steps = {{stage::connect, milliseconds{1}, false}};
  checked.error = make_failure(errc::connection_failed, stage::connect, "refused", "ldap2:389");
  children.breaker.table[1].context->checks->note(checked, env->clock->wall_now());
  const auto found = ask<runtime_snapshot>(manager, status_atom_v);
  BOOST_REQUIRE(found.ok());
  BOOST_REQUIRE(found.value->servers.size() == 2U);
  BOOST_TEST(found.value->servers[1].pool.now.size == 31U);
  BOOST_TEST((found.value->servers[1].breaker == breaker_state::half_open));
  BOOST_TEST((found.value->active_priority == std::optional{2}));
  BOOST_TEST(found.value->operations.total == 1U);
  BOOST_TEST(!found.value->servers[0].last_check.at.has_value());
  BOOST_TEST(found.value->servers[1].last_check.error == "refused");
  BOOST_TEST(found.value->servers[1].last_connect_check.steps.size() == 1U);
  BOOST_TEST(!found.value->credentials_refused);
}

BOOST_FIXTURE_TEST_CASE(stuck_child_does_not_hang_status, started) {
  children.pools[0].mute_status = true;
  const auto found = virtual_runtime::start<runtime_snapshot>(manager, status_atom_v);
  advance(seconds{1});
  BOOST_REQUIRE(found->ok());
  BOOST_TEST(found->value->servers[0].pool.now.size == 0U);
  BOOST_TEST(found->value->servers[1].pool.now.size == 31U);
}

BOOST_FIXTURE_TEST_CASE(status_without_the_breaker_knows_the_servers, started) {
  children.breaker.mute_status = true;
  const auto found = virtual_runtime::start<runtime_snapshot>(manager, status_atom_v);
  advance(seconds{1});
  BOOST_REQUIRE(found->ok());
  BOOST_TEST(found->value->servers[0].host == "ldap1");
  BOOST_TEST(found->value->servers[1].pool.now.size == 31U);
  BOOST_TEST(!found->value->active_priority.has_value());
}

BOOST_FIXTURE_TEST_CASE(children_that_are_late_are_as_they_were_for_a_while, started) {
  BOOST_REQUIRE(ask<runtime_snapshot>(manager, status_atom_v).ok());
  children.breaker.mute_status = children.pools[0].mute_status = true;
  for (int i = 0; i < 5; ++i) {
    const auto found = virtual_runtime::start<runtime_snapshot>(manager, status_atom_v);
    advance(seconds{1});
    BOOST_REQUIRE(found->ok());
    BOOST_TEST((found->value->active_priority == std::optional{2}));
    BOOST_TEST((found->value->servers[1].breaker == breaker_state::half_open));
    BOOST_TEST(found->value->servers[0].pool.now.size == 30U);
  }
  // Who is silent for longer than a starved process would be is not vouched for.
  advance(seconds{10});
  const auto found = virtual_runtime::start<runtime_snapshot>(manager, status_atom_v);
  advance(seconds{1});
  BOOST_REQUIRE(found->ok());
  BOOST_TEST(!found->value->active_priority.has_value());
  BOOST_TEST(found->value->servers[0].pool.now.size == 0U);
  BOOST_TEST(found->value->servers[1].pool.now.size == 31U);
}

BOOST_FIXTURE_TEST_CASE(ended_pool_is_replaced_and_made_known, started) {
  const auto before = children.running[0];
  crash(before);
  BOOST_TEST(children.pools[0].started == 2);
  BOOST_TEST(children.pools[1].started == 1);
  BOOST_TEST((children.breaker.table[0].pool == children.running[0]));
  BOOST_TEST((children.breaker.table[0].pool != before));
  BOOST_TEST(told(children.monitor, "servers 2"));
  BOOST_TEST(ask<result_ptr>(manager, perform_atom_v, request()).ok());
  BOOST_TEST(log->contains("a pool ended and is replaced server=ldap1:389"));
}

BOOST_FIXTURE_TEST_CASE(ended_monitor_is_replaced_and_made_known, started) {
  crash(children.running_monitor);
  BOOST_TEST(children.monitor.started == 2);
  BOOST_TEST((children.breaker.monitor == children.running_monitor.address()));
}

BOOST_FIXTURE_TEST_CASE(ended_breaker_takes_all_below_along, started) {
  const auto old_pool = children.running[0].address();
  crash(router());
  BOOST_TEST(children.breaker.started == 2);
  BOOST_TEST(children.pools[0].started == 2);
  BOOST_TEST(children.monitor.started == 2);
  BOOST_TEST((caf::actor_cast<caf::strong_actor_ptr>(old_pool) == nullptr));
  BOOST_TEST(ask<result_ptr>(manager, perform_atom_v, request()).ok());
}

BOOST_FIXTURE_TEST_CASE(children_that_keep_ending_end_the_runtime, started) {
  for (int i = 0; i < 5; ++i) {
    crash(children.running[0]);
    BOOST_TEST(ask<result_ptr>(manager, perform_atom_v, request()).ok());
  }
  crash(children.running[0]);
  BOOST_TEST((ask<result_ptr>(manager, perform_atom_v, request()).code() == errc::stopped));
  BOOST_TEST(log->contains("children keep ending"));
  BOOST_TEST(told(children.pools[1], "drain"));
}

BOOST_FIXTURE_TEST_CASE(rare_ends_of_children_are_survived_for_ever, started) {
  for (int i = 0; i < 20; ++i) {
    crash(children.running[1]);
    advance(seconds{15});
  }
  BOOST_TEST(children.pools[1].started == 21);
  BOOST_TEST(ask<result_ptr>(manager, perform_atom_v, request()).ok());
}

BOOST_FIXTURE_TEST_CASE(killed_manager_leaves_no_actor, started) {
  caf::anon_send_exit(manager, caf::exit_reason::kill);
  manager = nullptr;
  run();
  children.let_go();
  run();
  BOOST_TEST(system.registry().running() == 0U);
}
