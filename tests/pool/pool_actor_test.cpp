// The pool actor among fake connections, on virtual time.
#include "pool/fake_connections.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>

using namespace understudy;
using namespace understudy::test;

namespace {

/// A clock that fails when told to.
class faulty_clock final : public clock_port {
 public:
  explicit faulty_clock(std::shared_ptr<manual_clock> real) : real_(std::move(real)) {}
  time_point now() const override {
    if (std::exchange(fail_once, false)) throw std::runtime_error("the clock fell off the wall");
    return real_->now();
  }
  wall_time wall_now() const override { return real_->wall_now(); }
  mutable bool fail_once = false;

 private:
  std::shared_ptr<manual_clock> real_;
};

struct pool_fixture : virtual_runtime {
  std::shared_ptr<fake_server> server = std::make_shared<fake_server>();
  std::shared_ptr<fake_router> router = std::make_shared<fake_router>();
  std::shared_ptr<faulty_clock> time = std::make_shared<faulty_clock>(clock);
  circuit_breaker_actor breaker = own(spawn_fake_router(system, router));
  settings all;
  pool_actor pool;

  pool_fixture() {
    server->connect_error.code = errc::connection_failed;
    server->connect_error.where = stage::connect;
    server->connect_error.message = "refused by the test";
    all.pool.min_connections = 1;
    all.pool.max_connections = 3;
  }
  ~pool_fixture() {
    router->back_to = nullptr;
    if (pool) caf::anon_send_exit(pool, caf::exit_reason::user_shutdown);
    run();
    for (const auto& fake : server->made) BOOST_TEST(fake->removed);
    BOOST_TEST(poller->timers() == 0U);
  }

  void begin() {
    connection_info one;
    one.host = "ldap1";
    if (all.servers.empty()) all.servers = {one};
    auto environment_with_faults = *env;
    environment_with_faults.clock = time;
    auto context_with_faults = *context(one, all);
    context_with_faults.env = std::make_shared<const environment>(std::move(environment_with_faults));
    pool = spawn_pool(system, std::make_shared<const server_context>(std::move(context_with_faults)),
                      fake_factory(server), breaker.address(), {});
    run();
  }
  call search(duration patience = seconds{30}) const {
    call c;
    c.what = make_request(search_request{});
    c.deadline = clock->now() + patience;
    return c;
  }
  lease_request wish(duration patience = seconds{30}) const {
    lease_request w;
    w.deadline = clock->now() + patience;
    w.holder = "tester";
    return w;
  }
  void complete(const fake_ptr& fake, std::uint64_t count) {
    if (auto it = caf::actor_cast<connection_actor>(fake->address)) tell(it, tick_atom_v, count);
  }
  pool_snapshot status() { return *ask<pool_snapshot>(pool, status_atom_v).value; }
  /// Events of connections, as they would send them.
  void say(const fake_ptr& fake, connection_event::kind what, failure_ptr cause = nullptr) {
    tell(pool, event_atom_v, connection_event{fake->spec.id, what, std::move(cause)});
  }
  void exact() {
    const auto s = status();
    BOOST_TEST(s.acquired == s.released + s.leased);
    BOOST_TEST(s.dispatched == s.completed + s.now.in_flight);
  }
};

}  // namespace

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

namespace {

/// Holds leases until it is told to end.
caf::behavior holding(caf::event_based_actor* self, pool_actor pool, lease_request wish,
                      std::shared_ptr<std::vector<lease_grant>> granted) {
  be_quiet(*self);
  self->request(pool, caf::infinite, lease_atom_v, wish).then([=](const lease_grant& grant) {
    granted->push_back(grant);
    self->send(pool, claim_atom_v, grant.id);
  });
  return {[=](std::uint64_t) {}};
}

}  // namespace

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
  advance(seconds{2});
  BOOST_TEST_REQUIRE(found->ok());
  BOOST_TEST(found->value->idle_connections == 3U);
  BOOST_TEST(found->value->healthy_connections == 1U);
  BOOST_TEST(found->value->unhealthy_connections == 2U);
  advance(seconds{1});
  BOOST_TEST(server->made.size() == 5U);
  BOOST_TEST(status().now.idle == 3U);
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
  BOOST_TEST((*poller->next_timer() >= clock->now() + milliseconds{500}));
}
