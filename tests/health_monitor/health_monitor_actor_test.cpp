// The monitor among servers, pools and the breaker, on virtual time.
#include "monitor_fixture.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

using manner = played_server::manner;

BOOST_FIXTURE_TEST_CASE(a_healthy_server_gets_one_standing_connection, monitor_fixture) {
  start_monitor();
  BOOST_TEST(servers[0]->opened == 0);
  advance(seconds{61});
  for (const auto& s : servers) {
    BOOST_TEST(s->opened == 1);
    BOOST_TEST(s->checks >= 5);
    BOOST_TEST(s->checks <= 7);
    BOOST_TEST(s->slots_out == 1);
    BOOST_TEST((s->specs[0].kind == connection_kind::probe));
  }
  BOOST_TEST(told(0).size() == static_cast<std::size_t>(servers[0]->checks));
  BOOST_TEST(told(0).front().ok);
  BOOST_TEST(told(0).front().steps.size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(what_checks_found_is_kept_for_operators, monitor_fixture) {
  const auto servers_table = table();
  start_monitor_of(servers_table);
  const auto& checks = *servers_table[0].context->checks;
  BOOST_TEST(!checks.latest().at.has_value());
  advance(seconds{31});
  const auto connected = checks.latest_connect();
  BOOST_TEST(connected.ok);
  BOOST_TEST(connected.steps.size() == 3U);  // connect, bind, and the question
  BOOST_TEST(checks.latest().ok);
  BOOST_TEST(checks.latest().steps.size() == 1U);  // on the connection that stands
  BOOST_TEST((*checks.latest().at > *connected.at));
  servers[0]->connects = manner::refuses;
  cut(0);
  advance(seconds{3});
  BOOST_TEST(!checks.latest().ok);
  BOOST_TEST(checks.latest().error == "refused");
}

BOOST_FIXTURE_TEST_CASE(the_standing_connection_is_renewed_when_its_lifetime_is_over, monitor_fixture) {
  all.pool.max_lifetime = std::chrono::minutes{10};
  start_monitor();
  advance(std::chrono::minutes{9});
  BOOST_TEST(servers[0]->opened == 1);
  advance(std::chrono::minutes{2});
  BOOST_TEST(servers[0]->opened == 2);
  BOOST_TEST(servers[0]->connections.size() == 1U);
  BOOST_TEST(servers[0]->slots_out == 1);
  for (const auto& report : told(0)) BOOST_TEST(report.ok);
}

BOOST_FIXTURE_TEST_CASE(a_dead_idle_server_is_reported_within_an_interval, monitor_fixture) {
  start_monitor();
  advance(seconds{15});
  servers[0]->connects = manner::refuses;
  cut(0);
  BOOST_TEST(servers[0]->slots_out == 0);
  advance(seconds{3});
  BOOST_REQUIRE(!told(0).empty());
  BOOST_TEST(!told(0).back().ok);
  BOOST_TEST(told(0).back().error->message == "refused");
  BOOST_TEST(told(1).back().ok);
}

BOOST_FIXTURE_TEST_CASE(a_silent_server_is_found_out_within_300_ms_of_suspicion, monitor_fixture) {
  start_monitor();
  advance(seconds{15});
  const auto before = reports->size();
  servers[0]->answers = manner::hangs;
  tell(monitor, probe_atom_v, server_id{0});
  advance(milliseconds{299});
  BOOST_TEST(reports->size() == before);
  advance(milliseconds{1});
  BOOST_REQUIRE_EQUAL(reports->size(), before + 1);
  BOOST_TEST(!reports->back().ok);
  BOOST_TEST(reports->back().server == 0U);
}

BOOST_FIXTURE_TEST_CASE(suspicion_without_a_standing_connection_connects_within_half_a_second, monitor_fixture) {
  start_monitor();
  servers[0]->connects = manner::hangs;
  tell(monitor, probe_atom_v, server_id{0});
  advance(milliseconds{500});
  BOOST_REQUIRE_EQUAL(reports->size(), 1U);
  BOOST_TEST(reports->back().error->code == errc::connection_timeout);
  BOOST_TEST(reports->back().steps.size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_lively_server_is_cleared_of_suspicion_at_once, monitor_fixture) {
  start_monitor();
  advance(seconds{15});
  const auto before = reports->size();
  tell(monitor, probe_atom_v, server_id{0});
  BOOST_REQUIRE_EQUAL(reports->size(), before + 1);
  BOOST_TEST(reports->back().ok);
  BOOST_TEST(servers[0]->opened == 1);
}

BOOST_FIXTURE_TEST_CASE(suspicion_hurries_a_probe_that_runs_already, monitor_fixture) {
  servers[0]->connects = manner::hangs;
  start_monitor();
  while (servers[0]->opened == 0) advance(milliseconds{100});
  tell(monitor, probe_atom_v, server_id{0});
  advance(milliseconds{300});
  BOOST_REQUIRE_EQUAL(told(0).size(), 1U);
  BOOST_TEST(!told(0)[0].ok);
}

BOOST_FIXTURE_TEST_CASE(an_open_server_is_probed_by_full_connects_in_a_bounded_trickle, monitor_fixture) {
  start_monitor();
  advance(seconds{15});
  servers[0]->connects = manner::refuses;
  breaker_says(0, breaker_state::open);
  BOOST_TEST(servers[0]->connections.empty());
  const auto before = servers[0]->opened;
  advance(std::chrono::minutes{10});
  BOOST_TEST(servers[0]->opened - before >= 50);
  BOOST_TEST(servers[0]->opened - before <= 75);
  BOOST_TEST(servers[0]->slots_out == 0);
}

BOOST_FIXTURE_TEST_CASE(a_half_open_server_is_probed_at_once_and_again_shortly, monitor_fixture) {
  start_monitor();
  breaker_says(0, breaker_state::open);
  breaker_says(0, breaker_state::half_open);
  BOOST_TEST(told(0).size() == 1U);
  BOOST_TEST(told(0)[0].ok);
  advance(milliseconds{250});
  BOOST_TEST(told(0).size() == 2U);
  BOOST_TEST(servers[0]->opened == 2);
  BOOST_TEST(servers[0]->connections.empty());
  breaker_says(0, breaker_state::closed);
  advance(seconds{12});
  BOOST_TEST(servers[0]->connections.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_half_open_probe_that_hangs_is_reported_in_time, monitor_fixture) {
  servers[0]->connects = manner::hangs;
  start_monitor();
  breaker_says(0, breaker_state::open);
  breaker_says(0, breaker_state::half_open);
  advance(seconds{5});
  BOOST_REQUIRE_EQUAL(told(0).size(), 1U);
  BOOST_TEST(told(0)[0].error->code == errc::connection_timeout);
}

BOOST_FIXTURE_TEST_CASE(a_probe_that_hangs_does_not_hide_that_its_server_answers_again, monitor_fixture) {
  servers[0]->connects = manner::hangs;
  start_monitor();
  breaker_says(0, breaker_state::open);
  breaker_says(0, breaker_state::half_open);
  advance(milliseconds{2500});
  BOOST_TEST(servers[0]->opened <= 3);
  BOOST_TEST(servers[0]->connections.size() <= 2U);
  BOOST_TEST(told(0).empty(), "what hangs beside one that hangs is nothing new");
  servers[0]->connects = manner::works;
  advance(seconds{2});
  BOOST_REQUIRE(!told(0).empty());
  BOOST_TEST(told(0)[0].ok);
  BOOST_TEST(servers[0]->connections.empty());
}

BOOST_FIXTURE_TEST_CASE(a_suspended_server_is_left_alone, monitor_fixture) {
  start_monitor();
  advance(seconds{15});
  breaker_says(0, breaker_state::suspended);
  BOOST_TEST(servers[0]->connections.empty());
  BOOST_TEST(servers[0]->slots_out == 0);
  const auto before = told(0).size();
  advance(std::chrono::minutes{5});
  BOOST_TEST(told(0).size() == before);
  breaker_says(0, breaker_state::closed);
  advance(seconds{12});
  BOOST_TEST(told(0).size() > before);
}

BOOST_FIXTURE_TEST_CASE(without_a_free_socket_the_pool_is_asked, monitor_fixture) {
  servers[0]->free_slots = 0;
  servers[0]->pool_found.healthy_connections = servers[0]->pool_found.answered = 3;
  start_monitor();
  advance(seconds{11});
  BOOST_TEST(servers[0]->opened == 0);
  BOOST_TEST(servers[0]->pool_checks == 1);
  BOOST_REQUIRE_EQUAL(told(0).size(), 1U);
  BOOST_TEST(told(0)[0].ok);
}

BOOST_FIXTURE_TEST_CASE(a_pool_that_can_check_nothing_is_no_evidence, monitor_fixture) {
  servers[0]->free_slots = 0;
  start_monitor();
  tell(monitor, probe_atom_v, server_id{0});
  advance(seconds{11});
  BOOST_TEST(servers[0]->pool_checks >= 1);
  BOOST_TEST(told(0).empty());
}

BOOST_FIXTURE_TEST_CASE(the_only_socket_is_left_to_the_pool_while_the_server_is_healthy, one_socket) {
  servers[0]->pool_found.healthy_connections = servers[0]->pool_found.answered = 1;
  start_monitor();
  advance(std::chrono::minutes{3});
  BOOST_TEST(servers[0]->slots_asked == 0);
  BOOST_TEST(servers[0]->pool_checks >= 2);
  breaker_says(0, breaker_state::open);
  advance(seconds{3});
  BOOST_TEST(servers[0]->opened >= 1);
}

BOOST_FIXTURE_TEST_CASE(without_a_pool_there_is_no_standing_connection, monitor_fixture) {
  all.pool.use_pool = false;
  start_monitor();
  advance(seconds{61});
  BOOST_TEST(servers[0]->opened == 0);
  BOOST_TEST(servers[0]->pool_checks >= 5);
  BOOST_TEST(told(0).empty());
}

BOOST_FIXTURE_TEST_CASE(a_sole_server_is_probed_as_often_as_several, one_socket) {
  all.failover.health_check_interval = seconds{1};
  servers[0]->pool_found.healthy_connections = servers[0]->pool_found.answered = 1;
  start_monitor();
  advance(seconds{60});
  BOOST_TEST(servers[0]->pool_checks >= 50);
  BOOST_TEST(servers[0]->pool_checks <= 70);
}

BOOST_FIXTURE_TEST_CASE(a_suspected_server_that_nothing_can_replace_has_the_time_of_its_schedule, monitor_fixture) {
  servers[0]->connects = manner::hangs;
  start_monitor();
  breaker_says(1, breaker_state::open);
  tell(monitor, probe_atom_v, server_id{0});
  advance(milliseconds{4900});
  BOOST_TEST(told(0).empty());
  advance(milliseconds{200});
  BOOST_REQUIRE_EQUAL(told(0).size(), 1U);
  BOOST_TEST(!told(0)[0].hurried);
}

/// Both breakers are closed, and yet neither server would take the other's place.
BOOST_FIXTURE_TEST_CASE(of_two_silent_servers_each_has_the_time_of_its_schedule, monitor_fixture) {
  servers[0]->connects = servers[1]->connects = played_server::manner::hangs;
  start_monitor();
  tell(monitor, breaker_atom_v, stand_ins{});
  for (const server_id each : {0, 1}) tell(monitor, probe_atom_v, each);
  advance(milliseconds{4900});
  BOOST_TEST(reports->empty());
  advance(milliseconds{200});
  for (const server_id each : {0, 1}) {
    BOOST_REQUIRE_EQUAL(told(each).size(), 1U);
    BOOST_TEST(!told(each)[0].hurried);
  }
}

BOOST_FIXTURE_TEST_CASE(a_suspected_server_that_is_usually_slow_has_twice_what_it_takes, monitor_fixture) {
  servers[0]->connects = manner::hangs;
  start_monitor();
  const auto known = table();
  known[0].context->pace->connected(milliseconds{600});
  known[0].context->pace->answered(milliseconds{400});
  tell(monitor, servers_atom_v, known);
  tell(monitor, probe_atom_v, server_id{0});
  advance(milliseconds{1900});
  BOOST_TEST(told(0).empty());
  advance(milliseconds{200});
  BOOST_REQUIRE_EQUAL(told(0).size(), 1U);
  BOOST_TEST(told(0)[0].hurried);
}

BOOST_FIXTURE_TEST_CASE(a_slow_server_that_nothing_can_replace_has_twice_what_it_takes, monitor_fixture) {
  servers[0]->connects = manner::hangs;
  start_monitor();
  const auto known = table();
  known[0].context->pace->connected(seconds{4});
  tell(monitor, servers_atom_v, known);
  breaker_says(1, breaker_state::open);
  tell(monitor, probe_atom_v, server_id{0});
  advance(milliseconds{7900});
  BOOST_TEST(told(0).empty());
  advance(milliseconds{200});
  BOOST_TEST(told(0).size() == 1U);
}

/// It has answered the bind; a slow answer is better than none.
BOOST_FIXTURE_TEST_CASE(a_server_that_nothing_can_replace_lives_though_its_check_takes_long, monitor_fixture) {
  for (auto& server : servers) server->answers = manner::hangs;
  start_monitor();
  tell(monitor, probe_atom_v, server_id{0});
  advance(seconds{6});
  BOOST_TEST_REQUIRE(told(0).size() == 1U);
  BOOST_TEST(!told(0)[0].ok, "another one could serve");
  breaker_says(0, breaker_state::open);
  tell(monitor, probe_atom_v, server_id{1});
  advance(seconds{6});
  BOOST_TEST_REQUIRE(!told(1).empty());
  BOOST_TEST(told(1).back().ok);
}

/// Nobody had been left without an answer when it began, and so it asked for the root DSE alone.
BOOST_FIXTURE_TEST_CASE(a_probe_that_began_before_requests_were_left_unanswered_does_not_clear_the_server,
                        monitor_fixture) {
  servers[0]->connects = manner::hangs;
  start_monitor();
  const auto known = table();
  tell(monitor, servers_atom_v, known);
  while (servers[0]->opened == 0) advance(milliseconds{100});
  search_request unanswered;
  unanswered.base = "dc=example";
  BOOST_TEST_REQUIRE(known[0].context->unanswered->note(unanswered, now(), now(), 5, seconds{1}));
  tell(monitor, probe_atom_v, server_id{0});
  happens(servers[0]->specs.back(), connection_event::kind::ready);
  BOOST_TEST(servers[0]->checks == 2, "one more, which asks for what was left unanswered");
  BOOST_TEST(told(0).size() <= 1U);
}

BOOST_FIXTURE_TEST_CASE(no_probe_is_made_beside_one_of_a_server_that_takes_its_time, monitor_fixture) {
  servers[0]->answers = manner::hangs;
  start_monitor();
  const auto known = table();
  known[0].context->pace->answered(seconds{2});
  tell(monitor, servers_atom_v, known);
  breaker_says(0, breaker_state::open);
  breaker_says(0, breaker_state::half_open);
  advance(milliseconds{3900});
  BOOST_TEST(servers[0]->opened == 1, "twice what is usual has not passed");
  advance(milliseconds{200});
  BOOST_TEST(servers[0]->opened == 2);
}

BOOST_FIXTURE_TEST_CASE(a_probe_that_waits_for_us_speaks_against_no_server, monitor_fixture) {
  servers[0]->connects = manner::hangs;
  start_monitor();
  tell(monitor, probe_atom_v, server_id{0});
  BOOST_REQUIRE_EQUAL(servers[0]->specs.size(), 1U);
  servers[0]->specs[0].load->held_up = true;
  servers[0]->connects = manner::works;
  advance(milliseconds{500});
  BOOST_TEST(told(0).empty());
  advance(seconds{5});
  BOOST_REQUIRE_EQUAL(told(0).size(), 1U);
  BOOST_TEST(told(0)[0].ok);
}

BOOST_FIXTURE_TEST_CASE(who_asked_is_answered_by_the_first_probe_that_says_something, monitor_fixture) {
  servers[0]->free_slots = 0;
  start_monitor();
  tell(monitor, probe_atom_v, server_id{0});
  BOOST_TEST(told(0).empty());
  servers[0]->free_slots = 1;
  servers[0]->connects = manner::refuses;
  advance(milliseconds{1200});
  // One failed probe that nobody asked for would not be told.
  BOOST_REQUIRE_EQUAL(told(0).size(), 1U);
  BOOST_TEST(!told(0)[0].ok);
}

BOOST_FIXTURE_TEST_CASE(who_asked_and_was_told_nothing_is_answered_in_a_hurry_the_next_time, monitor_fixture) {
  servers[0]->free_slots = 0;
  start_monitor();
  tell(monitor, probe_atom_v, server_id{0});
  servers[0]->free_slots = 1;
  servers[0]->connects = manner::hangs;
  advance(milliseconds{1700});
  BOOST_REQUIRE_EQUAL(told(0).size(), 1U);
  BOOST_TEST(told(0)[0].error->code == errc::connection_timeout);
}

BOOST_FIXTURE_TEST_CASE(who_asks_while_a_probe_connects_is_not_answered_by_the_end_of_that, monitor_fixture) {
  servers[0]->connects = manner::hangs;
  start_monitor();
  while (servers[0]->opened == 0) advance(milliseconds{100});
  tell(monitor, probe_atom_v, server_id{0});
  servers[0]->connects = manner::works;
  failure cut_off;
  cut_off.code = errc::connection_failed;
  happens(servers[0]->specs.back(), connection_event::kind::failed, std::make_shared<const failure>(cut_off));
  advance(seconds{2});
  BOOST_REQUIRE_EQUAL(told(0).size(), 1U);
  BOOST_TEST(told(0)[0].ok);
}

BOOST_FIXTURE_TEST_CASE(a_standing_connection_goes_when_somebody_waits_for_its_socket, monitor_fixture) {
  start_monitor();
  advance(seconds{15});
  BOOST_REQUIRE_EQUAL(servers[0]->slots_out, 1);
  tell(monitor, slot_atom_v, server_id{0});
  BOOST_TEST(servers[0]->slots_out == 0);
  BOOST_TEST(servers[0]->connections.empty());
}

BOOST_FIXTURE_TEST_CASE(a_server_without_room_for_a_probe_is_asked_on_its_open_connections, monitor_fixture) {
  servers[0]->connects = manner::refuses;
  servers[0]->pool_found.healthy_connections = servers[0]->pool_found.answered = 2;
  start_monitor();
  breaker_says(0, breaker_state::open);
  breaker_says(0, breaker_state::half_open);
  BOOST_REQUIRE_EQUAL(told(0).size(), 1U);
  BOOST_TEST(told(0)[0].ok);
  BOOST_TEST(told(0)[0].warning.find("no further connection") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(refused_credentials_are_no_failure_and_no_storm, monitor_fixture) {
  failure f;
  f.code = errc::service_authentication_failed;
  f.where = stage::bind;
  f.ldap_code = 49;
  servers[0]->connects = manner::refuses;
  servers[0]->connect_error = std::make_shared<const failure>(f);
  start_monitor();
  advance(seconds{61});
  BOOST_TEST(servers[0]->opened <= 7);
  for (const auto& r : told(0)) BOOST_TEST((verdict(r) == probe_verdict::alive));
}

BOOST_FIXTURE_TEST_CASE(health_probes_every_server_in_parallel_with_full_connects, monitor_fixture) {
  servers[1]->connects = manner::refuses;
  start_monitor();
  advance(seconds{15});
  const auto opened = servers[0]->opened;
  const auto a = ask<std::vector<probe_report>>(monitor, health_atom_v, now() + seconds{10});
  BOOST_REQUIRE_MESSAGE(a.ok(), (a.error ? describe(*a.error) : "no answer"));
  BOOST_REQUIRE_EQUAL(a.value->size(), 2U);
  BOOST_TEST(a.value->at(0).server == 0U);
  BOOST_TEST(a.value->at(0).ok);
  BOOST_TEST(a.value->at(0).steps.size() == 3U);
  BOOST_TEST(a.value->at(1).server == 1U);
  BOOST_TEST(!a.value->at(1).ok);
  BOOST_TEST(a.value->at(1).error->message == "refused");
  BOOST_TEST(servers[0]->opened == opened + 1);
  BOOST_TEST(servers[0]->slots_out == 1);
}

BOOST_FIXTURE_TEST_CASE(health_knows_a_dead_server_whose_pool_just_tries_once_more, monitor_fixture) {
  servers[1]->connects = manner::refuses;
  servers[1]->pool_found.connecting = 1;
  start_monitor();
  const auto found = start<std::vector<probe_report>>(monitor, health_atom_v, now() + seconds{10});
  advance(seconds{1});
  BOOST_TEST(!found->done());
  servers[1]->pool_found.connecting = 0;
  advance(milliseconds{100});
  BOOST_TEST_REQUIRE(found->ok());
  BOOST_TEST((verdict(found->value->at(1)) == probe_verdict::dead));
  BOOST_TEST(found->value->at(1).error->message == "refused");
}

BOOST_FIXTURE_TEST_CASE(health_is_answered_before_its_deadline_although_servers_hang, monitor_fixture) {
  servers[0]->connects = manner::hangs;
  start_monitor();
  const auto slot = start<std::vector<probe_report>>(monitor, health_atom_v, now() + seconds{2});
  advance(milliseconds{1890});
  BOOST_TEST(!slot->done());
  advance(milliseconds{109});
  BOOST_REQUIRE(slot->ok());
  BOOST_TEST(slot->value->at(0).error->code == errc::connection_timeout);
  BOOST_TEST(slot->value->at(1).ok);
  // Its haste is no evidence: the breaker hears of what a probe with time finds.
  BOOST_TEST(told(0).empty());
}

BOOST_FIXTURE_TEST_CASE(who_asks_for_health_while_servers_are_probed_waits_for_these_probes, monitor_fixture) {
  servers[0]->connects = manner::hangs;
  start_monitor();
  const auto first = start<std::vector<probe_report>>(monitor, health_atom_v, now() + seconds{2});
  run();
  const auto opened = servers[0]->opened;
  std::vector<answer_ptr<std::vector<probe_report>>> all;
  for (int i = 0; i < 100; ++i)
    all.push_back(start<std::vector<probe_report>>(monitor, health_atom_v, now() + seconds{2}));
  run();
  BOOST_TEST(servers[0]->opened == opened);
  // Whose time is another one is told neither too late nor before a server had time to answer.
  const auto hurried = start<std::vector<probe_report>>(monitor, health_atom_v, now() + milliseconds{500});
  const auto patient = start<std::vector<probe_report>>(monitor, health_atom_v, now() + seconds{10});
  run();
  BOOST_TEST(servers[0]->opened == opened + 2);
  advance(milliseconds{500});
  BOOST_TEST(hurried->ok());
  BOOST_TEST(!first->done());
  advance(milliseconds{1499});
  BOOST_TEST(first->ok());
  for (const auto& each : all) {
    BOOST_TEST_REQUIRE(each->ok());
    BOOST_TEST(each->value->size() == 2U);
  }
  BOOST_TEST(!patient->done());
  advance(seconds{8});
  BOOST_TEST(patient->ok());
}

BOOST_FIXTURE_TEST_CASE(whether_a_server_serves_is_known_when_one_of_the_level_that_serves_is_well, monitor_fixture) {
  servers[1]->connects = manner::hangs;
  start_monitor();
  const auto level = all.servers[0].priority;
  const auto found = start<std::vector<probe_report>>(monitor, health_atom_v, level, now() + seconds{10});
  run();
  BOOST_TEST_REQUIRE(found->ok());
  BOOST_TEST_REQUIRE(found->value->size() == 1u);
  BOOST_TEST(found->value->at(0).server == 0u);
  BOOST_TEST(found->value->at(0).ok);
  BOOST_TEST(servers[1]->slots_out == 0, "nobody waits for the other probe");
}

BOOST_FIXTURE_TEST_CASE(whether_a_server_serves_is_known_when_another_one_is_well_and_that_level_silent,
                        monitor_fixture) {
  all.servers[1].priority = all.servers[0].priority + 1;
  servers[0]->connects = manner::hangs;
  start_monitor();
  const auto found =
      start<std::vector<probe_report>>(monitor, health_atom_v, all.servers[0].priority, now() + seconds{10});
  advance(milliseconds{999});
  BOOST_TEST(!found->done());
  advance(milliseconds{1});
  BOOST_TEST_REQUIRE(found->ok());
  BOOST_TEST_REQUIRE(found->value->size() == 1u);
  BOOST_TEST(found->value->at(0).server == 1u);
  BOOST_TEST(found->value->at(0).ok);
}

BOOST_FIXTURE_TEST_CASE(whether_a_server_serves_is_known_when_none_is_well, monitor_fixture) {
  servers[0]->connects = servers[1]->connects = manner::refuses;
  start_monitor();
  const auto found = ask<std::vector<probe_report>>(monitor, health_atom_v, 1, now() + seconds{10});
  BOOST_TEST_REQUIRE(found.ok());
  BOOST_TEST(found.value->size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(health_with_a_deadline_that_passed_is_answered_at_once, monitor_fixture) {
  servers[0]->connects = servers[1]->connects = manner::hangs;
  start_monitor();
  const auto a = ask<std::vector<probe_report>>(monitor, health_atom_v, now() - seconds{1});
  BOOST_REQUIRE(a.ok());
  BOOST_TEST(!a.value->at(0).ok);
}

BOOST_FIXTURE_TEST_CASE(draining_closes_everything_and_answers_what_is_open, monitor_fixture) {
  servers[0]->answers = manner::hangs;
  start_monitor();
  advance(seconds{11});
  const auto slot = start<std::vector<probe_report>>(monitor, health_atom_v, now() + seconds{60});
  run();
  tell(monitor, drain_atom_v);
  BOOST_TEST(slot->code() == errc::draining);
  for (const auto& s : servers) {
    BOOST_TEST(s->connections.empty());
    BOOST_TEST(s->slots_out == 0);
  }
  const auto opened = servers[0]->opened;
  tell(monitor, probe_atom_v, server_id{0});
  breaker_says(0, breaker_state::half_open);
  advance(std::chrono::minutes{2});
  BOOST_TEST(servers[0]->opened == opened);
  BOOST_TEST(ask<std::vector<probe_report>>(monitor, health_atom_v, now() + seconds{1}).code() == errc::draining);
}

BOOST_FIXTURE_TEST_CASE(a_probe_connection_that_crashes_gives_its_socket_back, monitor_fixture) {
  start_monitor();
  advance(seconds{11});
  BOOST_REQUIRE_EQUAL(servers[0]->slots_out, 1);
  kill(servers[0]->connections.back());
  servers[0]->connections.clear();
  run();
  BOOST_TEST(servers[0]->slots_out == 0);
  advance(seconds{3});
  BOOST_TEST(servers[0]->slots_out == 1);
}

BOOST_FIXTURE_TEST_CASE(servers_can_be_added_and_removed, monitor_fixture) {
  start_monitor();
  advance(seconds{15});
  auto shorter = table();
  shorter.erase(shorter.begin());
  tell(monitor, servers_atom_v, shorter);
  BOOST_TEST(servers[0]->connections.empty());
  BOOST_TEST(servers[0]->slots_out == 0);
  BOOST_TEST(servers[1]->connections.size() == 1U);
  tell_servers();
  advance(seconds{70});
  BOOST_TEST(servers[0]->connections.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(an_exception_in_the_factory_leaves_the_monitor_at_work, monitor_fixture) {
  int calls = 0;
  auto factory = [&calls, played = servers](caf::actor_system&, const connection_spec&) -> connection_actor {
    ++calls;
    throw std::runtime_error("no connection today");
  };
  monitor = own(spawn_health_monitor(system, env, std::make_shared<const settings>(all), table(), factory,
                                     breaker.address(), breaker.address()));
  run();
  advance(seconds{11});
  BOOST_TEST(calls == 2);
  BOOST_TEST(servers[0]->slots_out == 0);
  BOOST_TEST(log->contains("restarted in place"));
  advance(seconds{30});
  BOOST_TEST(calls > 4);
  BOOST_TEST(told(0).empty());
}
