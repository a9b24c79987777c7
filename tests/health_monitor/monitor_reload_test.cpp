// Other settings for a monitor at work, and standing connections that grow old.
#include "monitor_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

BOOST_FIXTURE_TEST_CASE(a_standing_connection_lives_no_longer_than_those_of_the_pool, monitor_fixture) {
  all.pool.max_lifetime = seconds{60};
  start_monitor();
  advance(seconds{55});
  BOOST_TEST(servers[0]->opened == 1);
  advance(seconds{250});
  BOOST_TEST(servers[0]->opened >= 4);
  BOOST_TEST(servers[0]->opened <= 6);
  BOOST_TEST(servers[0]->connections.size() == 1U);
  BOOST_TEST(servers[0]->slots_out == 1);
  for (const auto& report : told(0)) BOOST_TEST(report.ok);
}

BOOST_FIXTURE_TEST_CASE(a_shorter_lifetime_counts_for_a_standing_connection, monitor_fixture) {
  all.pool.max_lifetime = std::chrono::hours{24};
  start_monitor();
  advance(seconds{55});
  BOOST_TEST(servers[0]->opened == 1);
  all.pool.max_lifetime = seconds{60};
  tell_servers();
  advance(seconds{50});
  BOOST_TEST(servers[0]->opened == 1);
  advance(seconds{200});
  BOOST_TEST(servers[0]->opened >= 3);
}

BOOST_FIXTURE_TEST_CASE(a_standing_connection_made_with_other_values_is_replaced, monitor_fixture) {
  start_monitor();
  advance(seconds{15});
  tell_servers();
  advance(seconds{30});
  BOOST_TEST(servers[0]->opened == 1);
  all.servers[0].bind_dn = "cn=other";
  tell_servers();
  advance(seconds{12});
  BOOST_TEST(servers[0]->opened == 2);
  BOOST_TEST(servers[0]->specs.back().context->server.bind_dn == "cn=other");
  BOOST_TEST(servers[1]->opened == 1);
}

BOOST_FIXTURE_TEST_CASE(a_shorter_interval_counts_at_once, monitor_fixture) {
  all.failover.health_check_interval = std::chrono::hours{24};
  start_monitor();
  all.failover.health_check_interval = seconds{10};
  tell_servers();
  advance(seconds{12});
  BOOST_TEST(servers[0]->checks >= 1);
}

/// What a probe with the old values finds says nothing of the new ones, and what it keeps open is no better.
BOOST_FIXTURE_TEST_CASE(a_probe_under_way_is_begun_anew_with_other_values, monitor_fixture) {
  start_monitor();
  servers[0]->connects = played_server::manner::hangs;
  while (servers[0]->opened == 0) advance(milliseconds{100});
  all.servers[0].bind_dn = "cn=other";
  servers[0]->connects = played_server::manner::works;
  tell_servers();
  BOOST_TEST(servers[0]->opened == 2);
  BOOST_TEST(servers[0]->specs.back().context->server.bind_dn == "cn=other");
  BOOST_TEST(servers[0]->connections.size() == 1U);
  BOOST_TEST_REQUIRE(told(0).size() == 1U);
  BOOST_TEST(told(0).front().ok);
  // The same values change nothing about one that is under way.
  while (servers[1]->opened == 0) advance(milliseconds{100});
  servers[1]->connects = played_server::manner::hangs;
  const auto before = servers[1]->opened;
  cut(1);
  while (servers[1]->opened == before) advance(milliseconds{100});
  tell_servers();
  BOOST_TEST(servers[1]->opened == before + 1);
}

BOOST_FIXTURE_TEST_CASE(a_probe_that_was_asked_for_answers_in_time_over_a_reload, monitor_fixture) {
  start_monitor();
  servers[0]->connects = played_server::manner::hangs;
  tell(monitor, probe_atom_v, server_id{0});
  BOOST_TEST_REQUIRE(servers[0]->opened == 1);
  advance(milliseconds{200});
  all.servers[0].bind_dn = "cn=other";
  tell_servers();
  BOOST_TEST(servers[0]->opened == 2);
  advance(milliseconds{500});
  BOOST_TEST_REQUIRE(told(0).size() == 1U);
  BOOST_TEST(!told(0).front().ok);
}

/// As does the short one beside a probe that goes on.
BOOST_FIXTURE_TEST_CASE(a_probe_beside_another_is_begun_anew_with_other_values, monitor_fixture) {
  start_monitor();
  servers[0]->connects = played_server::manner::hangs;
  breaker_says(0, breaker_state::open);
  while (servers[0]->opened < 2) advance(milliseconds{100});
  BOOST_TEST_REQUIRE(servers[0]->connections.size() == 2U);
  all.servers[0].bind_dn = "cn=other";
  tell_servers();
  for (int i = 0; i < 30 && servers[0]->opened < 4; ++i) advance(milliseconds{100});
  BOOST_TEST(servers[0]->opened == 4);
  BOOST_TEST(servers[0]->connections.size() == 2U);
  for (const auto* spec : {&servers[0]->specs[2], &servers[0]->specs[3]})
    BOOST_TEST(spec->context->server.bind_dn == "cn=other");
}
