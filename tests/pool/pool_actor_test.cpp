// The pool actor: requests in, answers out, and what becomes of those who wait.
#include "pool/pool_fixture.hpp"
#include "understudy/actors/pool/pool_state.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

BOOST_FIXTURE_TEST_CASE(a_request_is_answered_by_a_connection, pool_fixture) {
  begin();
  BOOST_TEST(ask<result_ptr>(pool, perform_atom_v, search()).ok());
  BOOST_TEST_REQUIRE(server->made.size() == 1U);
  BOOST_TEST(server->made[0]->calls.size() == 1U);
  BOOST_TEST(status().dispatched == 1U);
  exact();
}

BOOST_FIXTURE_TEST_CASE(requests_wait_for_room_and_are_sent_when_it_is_there, pool_fixture) {
  all.pool.max_connections = 1;
  all.pool.max_in_flight = 2;
  server->answers = false;
  begin();
  std::vector<answer_ptr<result_ptr>> answers;
  for (int i = 0; i < 5; ++i) answers.push_back(start<result_ptr>(pool, perform_atom_v, search()));
  run();
  BOOST_TEST(server->made[0]->calls.size() == 2U);
  BOOST_TEST(status().now.waiters == 3U);
  complete(server->made[0], 1);
  BOOST_TEST(server->made[0]->calls.size() == 3U);
  complete(server->made[0], 9);
  complete(server->made[0], 9);
  for (const auto& a : answers) BOOST_TEST(a->ok());
  exact();
}

BOOST_FIXTURE_TEST_CASE(a_refused_connect_is_reported_once_and_the_request_goes_back, pool_fixture) {
  server->accepts = false;
  begin();
  BOOST_TEST(router->reports.size() == 1U);
  auto c = search();
  c.token = std::make_shared<cancel_token>();
  const auto a = start<result_ptr>(pool, perform_atom_v, c);
  advance(seconds{2});
  BOOST_TEST(a->code() == errc::no_server);
  BOOST_TEST_REQUIRE(router->calls.size() == 1U);
  BOOST_TEST(router->calls[0].attempts == 1U);
  BOOST_TEST(router->calls[0].tried.contains(0));
  BOOST_TEST_REQUIRE((router->calls[0].last != nullptr));
  BOOST_TEST(router->calls[0].last->code == errc::connection_failed);
  BOOST_TEST((router->reports[0].failed == failure_class::transport));
}

BOOST_FIXTURE_TEST_CASE(a_sole_server_that_comes_back_serves_who_waited, pool_fixture) {
  server->accepts = false;
  begin();
  router->back_to = pool;
  const auto a = start<result_ptr>(pool, perform_atom_v, search());
  advance(milliseconds{500});
  server->accepts = true;
  advance(seconds{20});
  BOOST_TEST(a->ok());
}

BOOST_FIXTURE_TEST_CASE(attempts_at_a_sole_server_are_finite, pool_fixture) {
  server->accepts = false;
  begin();
  router->back_to = pool;
  const auto a = start<result_ptr>(pool, perform_atom_v, search(seconds{1000}));
  advance(seconds{200});
  BOOST_TEST(a->code() == errc::connection_failed);
  BOOST_TEST(router->calls.size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_cannot_be_made_is_a_failed_connect, pool_fixture) {
  server->throws = true;
  begin();
  BOOST_TEST(status().connect_failures == 1U);
  server->throws = false;
  advance(seconds{3});
  BOOST_TEST(ask<result_ptr>(pool, perform_atom_v, search()).ok());
}

BOOST_FIXTURE_TEST_CASE(cancelling_reaches_the_request_where_it_rests, pool_fixture) {
  all.pool.max_connections = 1;
  all.pool.max_in_flight = 1;
  server->answers = false;
  begin();
  auto sent = search(), waits = search(), flagged = search();
  for (call* c : {&sent, &waits, &flagged}) c->token = std::make_shared<cancel_token>();
  const auto a = start<result_ptr>(pool, perform_atom_v, sent);
  const auto b = start<result_ptr>(pool, perform_atom_v, waits);
  run();
  BOOST_TEST(sent.token->connection() == server->made[0]->spec.id);
  BOOST_TEST(waits.token->connection() == 0U);
  for (const call& c : {sent, waits}) {
    c.token->cancel();
    tell(pool, cancel_atom_v, c.token);
  }
  BOOST_TEST(b->code() == errc::cancelled);
  BOOST_TEST(server->made[0]->cancels.size() == 1U);
  flagged.token->cancel();
  BOOST_TEST(ask<result_ptr>(pool, perform_atom_v, flagged).code() == errc::cancelled);
  complete(server->made[0], 1);
}

BOOST_FIXTURE_TEST_CASE(a_connection_actor_that_ends_without_a_word_is_replaced, pool_fixture) {
  begin();
  caf::anon_send_exit(caf::actor_cast<caf::actor>(server->made[0]->address), caf::exit_reason::kill);
  server->made[0]->removed = true;
  advance(seconds{1});
  BOOST_TEST(server->made.size() == 2U);
  BOOST_TEST(ask<result_ptr>(pool, perform_atom_v, search()).ok());
}

BOOST_FIXTURE_TEST_CASE(an_opening_breaker_gets_its_waiters_and_permits_back, pool_fixture) {
  server->silent = true;
  begin();
  auto trial = search();
  trial.trial = true;
  trial.generation = 7;
  const auto a = start<result_ptr>(pool, perform_atom_v, trial);
  const auto b = start<lease_grant>(pool, lease_atom_v, wish());
  run();
  tell(pool, breaker_atom_v, breaker_state::open);
  BOOST_TEST(a->code() == errc::no_server);
  BOOST_TEST(b->code() == errc::no_server);
  BOOST_TEST(router->calls.size() == 1U);
  BOOST_TEST(router->leases.size() == 1U);
  BOOST_TEST(!router->calls[0].trial);
  BOOST_TEST_REQUIRE(router->reports.size() == 1U);
  BOOST_TEST(router->reports[0].trial);
  BOOST_TEST(router->reports[0].generation == 7U);
  BOOST_TEST(!router->reports[0].failed.has_value());
}

BOOST_FIXTURE_TEST_CASE(a_wait_in_vain_ends_at_its_deadline, pool_fixture) {
  server->silent = true;
  begin();
  const auto a = start<result_ptr>(pool, perform_atom_v, search(seconds{3}));
  advance(milliseconds{2999});
  BOOST_TEST(!a->done());
  advance(milliseconds{1});
  BOOST_TEST(a->code() == errc::pool_timeout);
  BOOST_TEST_REQUIRE(a->error->pool.has_value());
  BOOST_TEST(a->error->pool->connecting == 1U);
}

BOOST_FIXTURE_TEST_CASE(validation_counts_and_replaces_and_holds_up_nobody, pool_fixture) {
  all.pool.min_connections = 3;
  begin();
  advance(seconds{1});
  BOOST_TEST_REQUIRE(server->made.size() == 3U);
  server->made[0]->unwell = true;
  server->made[1]->mute = true;
  const auto found = start<pool_health>(pool, check_atom_v, clock->now() + seconds{2});
  run();
  BOOST_TEST(!found->done());
  BOOST_TEST(ask<result_ptr>(pool, perform_atom_v, search()).ok());
  advance(seconds{2} + milliseconds{100});
  BOOST_TEST_REQUIRE(found->ok());
  BOOST_TEST(found->value->idle_connections == 3U);
  BOOST_TEST(found->value->healthy_connections == 1U);
  BOOST_TEST(found->value->unhealthy_connections == 2U);
  advance(seconds{1});
  BOOST_TEST(server->made.size() == 5U);
  BOOST_TEST(status().now.idle == 3U);
}

/// A process that stood still is told that time is over before it has read what came meanwhile. The connection knows.
BOOST_FIXTURE_TEST_CASE(a_check_whose_answer_is_read_late_ends_no_connection, pool_fixture) {
  all.pool.health_check_interval = seconds{10};
  begin();
  advance(seconds{1});
  BOOST_TEST_REQUIRE(server->made.size() == 1U);
  const auto one = server->made[0];
  one->mute = true;
  for (int i = 0; i < 300 && one->checks == 0; ++i) advance(milliseconds{100});
  BOOST_TEST_REQUIRE(one->checks == 1);
  advance(pool_state::check_time + seconds{1});
  tell(caf::actor_cast<connection_actor>(one->address), flush_atom_v);
  BOOST_TEST(one->closes == 0);
  BOOST_TEST(server->made.size() == 1U);
  BOOST_TEST(status().now.idle == 1U);
  // One that says nothing at all is of no use.
  for (int i = 0; i < 300 && one->checks == 1; ++i) advance(milliseconds{100});
  BOOST_TEST_REQUIRE(one->checks == 2);
  advance(pool_state::check_time + seconds{3});
  BOOST_TEST(one->closes == 1);
  BOOST_TEST(server->made.size() == 2U);
}

/// The server is not well, and the connection to it is as good as any.
BOOST_FIXTURE_TEST_CASE(a_connection_that_says_busy_or_answers_other_things_is_not_ended_for_that, pool_fixture) {
  all.pool.health_check_interval = seconds{10};
  begin();
  advance(seconds{1});
  BOOST_TEST_REQUIRE(server->made.size() == 1U);
  const auto one = server->made[0];
  one->unwell = true;
  failure busy;
  busy.code = errc::ldap_error;
  busy.ldap_code = result_code::busy;
  one->problem = std::make_shared<const failure>(busy);
  const auto asked = [&] {
    const auto found = ask<pool_health>(pool, check_atom_v, clock->now() + seconds{2});
    BOOST_TEST_REQUIRE(found.ok());
    BOOST_TEST(found.value->answered == 0U);
  };
  asked();
  BOOST_TEST(one->closes == 0);
  one->problem = make_failure(errc::operation_timeout, stage::operation, "left unanswered");
  one->answers_others = true;
  asked();
  BOOST_TEST(one->closes == 0);
  const auto before = one->checks;
  for (int i = 0; i < 300 && one->checks == before; ++i) advance(milliseconds{100});
  BOOST_TEST_REQUIRE(one->checks == before + 1);
  BOOST_TEST(one->closes == 0, "what validates it in the background knows that too");
  one->answers_others = false;
  asked();
  BOOST_TEST(one->closes == 1);
}

BOOST_FIXTURE_TEST_CASE(who_asks_all_waits_a_moment_longer_than_they_have, pool_fixture) {
  begin();
  advance(seconds{1});
  BOOST_TEST_REQUIRE(server->made.size() == 1U);
  server->made[0]->mute = true;
  const auto found = start<pool_health>(pool, check_atom_v, clock->now() + seconds{2});
  advance(seconds{2} + milliseconds{50});
  BOOST_TEST(!found->done());
  tell(caf::actor_cast<connection_actor>(server->made[0]->address), flush_atom_v);
  BOOST_TEST_REQUIRE(found->ok());
  BOOST_TEST(found->value->answered == 1U, "it had answered in time, and was read late");
}

BOOST_FIXTURE_TEST_CASE(who_is_in_a_hurry_to_know_ends_no_connection_of_a_slow_server, pool_fixture) {
  begin();
  advance(seconds{1});
  BOOST_TEST_REQUIRE(!server->made.empty());
  server->made[0]->spec.context->pace->answered(seconds{3});
  for (auto& one : server->made) one->mute = true;
  const auto before = server->made.size();
  const auto found = start<pool_health>(pool, check_atom_v, clock->now() + seconds{1});
  advance(seconds{2});
  BOOST_TEST_REQUIRE(found->ok());
  BOOST_TEST(found->value->unhealthy_connections == before);
  BOOST_TEST(server->made.size() == before, "nobody ended them");
  for (auto& one : server->made) BOOST_TEST(one->closes == 0);
  const auto patient = start<pool_health>(pool, check_atom_v, clock->now() + seconds{6});
  advance(seconds{5});
  BOOST_TEST(status().now.idle == before);
  advance(seconds{2});
  BOOST_TEST_REQUIRE(patient->ok());
  BOOST_TEST(server->made.size() > before, "twice what is usual is enough: they were replaced");
}

BOOST_FIXTURE_TEST_CASE(a_pool_tells_of_connects_under_way, pool_fixture) {
  server->silent = true;
  begin();
  const auto found = ask<pool_health>(pool, check_atom_v, clock->now() + seconds{1});
  BOOST_TEST_REQUIRE(found.ok());
  BOOST_TEST(found.value->connecting > 0U);
}

BOOST_FIXTURE_TEST_CASE(a_drained_pool_has_closed_everything, pool_fixture) {
  server->answers = false;
  begin();
  const auto running = start<result_ptr>(pool, perform_atom_v, search());
  run();
  const auto drained = start<bool>(pool, drain_atom_v, clock->now() + seconds{5});
  run();
  BOOST_TEST(!drained->done());
  const auto late = start<result_ptr>(pool, perform_atom_v, search());
  run();
  BOOST_TEST(router->calls.size() == 1U, "what is new goes elsewhere");
  complete(server->made[0], 1);
  BOOST_TEST(running->ok());
  BOOST_TEST_REQUIRE(drained->ok());
  BOOST_TEST(*drained->value);
  BOOST_TEST(server->made[0]->removed);
}

BOOST_FIXTURE_TEST_CASE(a_drain_ends_at_its_deadline_whoever_is_mute, pool_fixture) {
  server->answers = false;
  all.pool.max_in_flight = 1;
  all.pool.max_connections = 1;
  begin();
  server->made[0]->stubborn = true;
  const auto running = start<result_ptr>(pool, perform_atom_v, search());
  const auto waiting = start<result_ptr>(pool, perform_atom_v, search());
  run();
  const auto drained = start<bool>(pool, drain_atom_v, clock->now() + seconds{5});
  advance(milliseconds{5300});
  BOOST_TEST_REQUIRE(drained->ok());
  BOOST_TEST(!*drained->value);
  BOOST_TEST(running->done());
  BOOST_TEST(waiting->code() == errc::draining);
}

BOOST_FIXTURE_TEST_CASE(a_pool_that_is_ended_answers_who_waits_and_closes_its_connections, pool_fixture) {
  server->silent = true;
  begin();
  const auto a = start<result_ptr>(pool, perform_atom_v, search());
  const auto b = start<lease_grant>(pool, lease_atom_v, wish());
  const auto c = start<bool>(pool, drain_atom_v, clock->now() + seconds{5});
  run();
  caf::anon_send_exit(pool, caf::exit_reason::user_shutdown);
  run();
  BOOST_TEST(a->code() == errc::stopped);
  BOOST_TEST(b->code() == errc::stopped);
  BOOST_TEST(c->done());
  BOOST_TEST(server->made[0]->closes == 1);
}

BOOST_FIXTURE_TEST_CASE(an_exception_on_the_timer_loses_no_lease_and_no_waiter, pool_fixture) {
  begin();
  auto granted = std::make_shared<std::vector<lease_grant>>();
  const auto holder = system.spawn(holding, pool, wish(), granted);
  run();
  BOOST_TEST_REQUIRE(granted->size() == 1U);
  clock->advance(seconds{2});
  time->fail_once = true;
  run();
  BOOST_TEST(!time->fail_once);
  BOOST_TEST(status().leased == 1U);
  BOOST_TEST(*ask<bool>(pool, release_atom_v, granted->at(0).id).value);
  exact();
  advance(seconds{2});
  BOOST_TEST(ask<result_ptr>(pool, perform_atom_v, search()).ok());
  kill(holder);
}

BOOST_FIXTURE_TEST_CASE(a_probe_takes_one_of_the_sockets, pool_fixture) {
  all.pool.max_connections = 1;
  all.pool.min_connections = 0;
  begin();
  BOOST_TEST(*ask<bool>(pool, slot_atom_v, true).value);
  BOOST_TEST(!*ask<bool>(pool, slot_atom_v, true).value);
  const auto a = start<result_ptr>(pool, perform_atom_v, search());
  run();
  BOOST_TEST(!a->done());
  BOOST_TEST(*ask<bool>(pool, slot_atom_v, false).value);
  BOOST_TEST(a->ok());
}

BOOST_FIXTURE_TEST_CASE(an_idle_pool_sets_one_timer_a_second_at_most, pool_fixture) {
  begin();
  advance(seconds{10});
  BOOST_TEST(poller->timers_set() == 1U);
  BOOST_TEST((poller->next_timer() >= clock->now() + milliseconds{500}));
}
