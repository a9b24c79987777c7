// The breaker among its pools, its monitor and its callers.
#include "breaker_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

BOOST_FIXTURE_TEST_CASE(requests_go_to_the_first_level_with_generation_and_place, breaker_fixture) {
  auto c = ask_for();
  c.token = std::make_shared<cancel_token>();
  c.token->rest_at(1, 77);
  BOOST_TEST(perform(c).ok());
  BOOST_REQUIRE_EQUAL(pools[0]->calls.size(), 1U);
  BOOST_TEST(pools[0]->calls[0].generation > 0U);
  BOOST_TEST(!pools[0]->calls[0].trial);
  BOOST_TEST(c.token->server() == 0U);
  BOOST_TEST(c.token->connection() == 0U);
}

BOOST_FIXTURE_TEST_CASE(an_opening_breaker_tells_pool_monitor_and_log, breaker_fixture) {
  fail(0);
  BOOST_REQUIRE_EQUAL(pools[0]->states.size(), 1U);
  BOOST_TEST(pools[0]->states[0] == breaker_state::open);
  BOOST_TEST(pools[1]->states.empty());
  BOOST_REQUIRE_EQUAL(monitor->states.size(), 1U);
  BOOST_TEST((monitor->states[0] == std::pair{server_id{0}, breaker_state::open}));
  BOOST_TEST(log->contains("warning breaker"));
  BOOST_TEST(log->contains("connection refused"));
  BOOST_TEST(perform().ok());
  BOOST_TEST(pools[0]->calls.empty());
  BOOST_TEST(pools[1]->calls.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(half_open_follows_after_the_open_time, breaker_fixture) {
  report(ready(1));
  fail(0);
  advance(milliseconds{1200});
  BOOST_TEST(status(0).breaker == breaker_state::half_open);
  BOOST_TEST((monitor->states.back() == std::pair{server_id{0}, breaker_state::half_open}));
  probe(0, true);
  probe(0, true);
  BOOST_TEST(status(0).breaker == breaker_state::closed);
  BOOST_TEST(pools[0]->states.back() == breaker_state::closed);
  BOOST_TEST(status(0).serving == false);
  advance(seconds{20});
  BOOST_TEST(status(0).serving == true);
  BOOST_TEST(perform().ok());
  BOOST_TEST(pools[0]->calls.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_half_open_probe_that_never_answers_opens_the_breaker_again, breaker_fixture) {
  fail(0);
  advance(milliseconds{1200});
  BOOST_REQUIRE_EQUAL(status(0).breaker, breaker_state::half_open);
  advance(seconds{12});
  BOOST_TEST(status(0).breaker == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(all_down_fails_at_once_with_causes_and_when_to_retry, breaker_fixture) {
  fail(0);
  fail(1);
  const auto a = perform();
  BOOST_TEST(a.code() == errc::breaker_open);
  BOOST_TEST(a.error->retry_after.has_value());
  BOOST_TEST(a.error->message.find("ldap0") != std::string::npos);
  BOOST_TEST(a.error->message.find("ldap1") != std::string::npos);
  BOOST_TEST(a.error->message.find(utc(clock->wall_now()).substr(0, 10)) != std::string::npos);
  BOOST_TEST(a.error->cause_at.has_value());
}

BOOST_FIXTURE_TEST_CASE(a_write_with_only_read_only_servers_is_told_so, breaker_fixture) {
  for (auto& s : all.servers) s.role = server_role::read_only;
  tell_servers();
  const auto a = perform(ask_for(delete_request{"cn=x"}));
  BOOST_TEST(a.code() == errc::no_server);
  BOOST_TEST(a.error->message.find("read_only") != std::string::npos);
  BOOST_TEST(perform().ok());
}

BOOST_FIXTURE_TEST_CASE(writes_pass_over_read_only_servers, breaker_fixture) {
  all.servers[0].role = server_role::read_only;
  tell_servers();
  BOOST_TEST(perform(ask_for(modify_request{"cn=x", {}})).ok());
  BOOST_TEST(pools[0]->calls.empty());
  BOOST_TEST(pools[1]->calls.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_request_that_names_a_server_goes_there_while_it_is_well, breaker_fixture) {
  const auto name = [&](server_id i) {
    const auto server = status(i);
    return server.host + ":" + std::to_string(server.port);
  };
  auto c = ask_for();
  const auto wishing = [&](const std::string& server) {
    auto order = *c.what;
    order.wish.server = server;
    auto made = c;
    made.what = std::make_shared<const request>(std::move(order));
    return made;
  };
  BOOST_TEST(perform(wishing(name(1))).ok());
  BOOST_TEST(pools[1]->calls.size() == 1U);
  BOOST_TEST(perform(wishing("nobody:389")).ok());
  BOOST_TEST(pools[0]->calls.size() == 1U);
  fail(1);
  BOOST_TEST(perform(wishing(name(1))).ok());
  BOOST_TEST(pools[0]->calls.size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_global_catalog_takes_nobodys_place, breaker_fixture) {
  all.servers[1].role = server_role::global_catalog;
  tell_servers();
  BOOST_TEST(status(1).global_catalog);
  const auto look_up = [&](any_operation op) {
    auto c = ask_for();
    c.what = std::make_shared<const request>(request{std::move(op), {}, {{}, true}});
    return c;
  };
  BOOST_TEST(perform(look_up(search_request{})).ok());
  BOOST_TEST(pools[1]->calls.size() == 1U);
  // As a node relays it.
  BOOST_TEST(perform(look_up(opaque_request{std::string{"\x63\0", 2}, {}, 1})).ok());
  BOOST_TEST(pools[1]->calls.size() == 2U);
  // The wish makes nothing else a look-up.
  BOOST_TEST(perform(look_up(bind_request{"cn=x", secret{"x"}})).ok());
  BOOST_TEST(perform().ok());
  BOOST_TEST(pools[0]->calls.size() == 2U);
  fail(0);
  BOOST_TEST(!perform().ok());
  BOOST_TEST(perform(look_up(search_request{})).ok());
  BOOST_TEST(pools[1]->calls.size() == 3U);
  BOOST_TEST(!status(1).serving);
}

BOOST_FIXTURE_TEST_CASE(a_redispatch_goes_to_a_server_not_tried_yet, breaker_fixture) {
  auto c = ask_for();
  c.attempts = 1;
  c.tried.insert(0);
  c.last = refused();
  BOOST_TEST(perform(c).ok());
  BOOST_TEST(pools[1]->calls.size() == 1U);
  BOOST_TEST(pools[1]->calls[0].attempts == 1);
}

BOOST_FIXTURE_TEST_CASE(a_sole_server_is_tried_again, sole_server) {
  auto c = ask_for();
  c.attempts = 1;
  c.tried.insert(0);
  c.last = refused();
  BOOST_TEST(perform(c).ok());
}

BOOST_FIXTURE_TEST_CASE(too_many_attempts_end_with_the_last_cause, sole_server) {
  auto c = ask_for();
  c.attempts = 4;
  c.last = refused("reset by peer");
  const auto a = perform(c);
  BOOST_TEST(a.code() == errc::connection_failed);
  BOOST_TEST(a.error->message == "reset by peer");
  BOOST_TEST(pools[0]->calls.empty());
}

BOOST_FIXTURE_TEST_CASE(a_request_past_its_deadline_is_not_sent, breaker_fixture) {
  auto c = ask_for();
  c.deadline = now();
  c.last = refused();
  const auto a = perform(c);
  BOOST_TEST(a.code() == errc::operation_timeout);
  BOOST_TEST(a.error->cause == "connection refused");
  BOOST_TEST(pools[0]->calls.empty());
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_request_is_not_sent, breaker_fixture) {
  auto c = ask_for();
  c.token = std::make_shared<cancel_token>();
  c.token->cancel();
  BOOST_TEST(perform(c).code() == errc::cancelled);
  BOOST_TEST(pools[0]->calls.empty());
}

BOOST_FIXTURE_TEST_CASE(cancel_is_forwarded_to_where_the_request_rests, breaker_fixture) {
  auto token = std::make_shared<cancel_token>();
  token->rest_at(1, 5);
  tell(breaker, cancel_atom_v, token);
  BOOST_TEST(pools[0]->cancels.empty());
  BOOST_REQUIRE_EQUAL(pools[1]->cancels.size(), 1U);
  BOOST_TEST(pools[1]->cancels[0] == token);
  tell(breaker, cancel_atom_v, cancel_token_ptr{});
  token->rest_at(99, 5);
  tell(breaker, cancel_atom_v, token);
}

BOOST_FIXTURE_TEST_CASE(leases_are_routed_like_requests, breaker_fixture) {
  lease_request want;
  want.deadline = now() + seconds{5};
  BOOST_TEST(ask<lease_grant>(breaker, lease_atom_v, want).code() == errc::pool_exhausted);
  BOOST_TEST(pools[0]->leases.size() == 1U);
  fail(0);
  fail(1);
  BOOST_TEST(ask<lease_grant>(breaker, lease_atom_v, want).code() == errc::breaker_open);
}

BOOST_FIXTURE_TEST_CASE(suspicion_has_the_server_probed_once, breaker_fixture) {
  for (int i = 0; i < 10; ++i) tell(breaker, suspect_atom_v, server_id{0});
  BOOST_TEST(monitor->probes == std::vector<server_id>{0}, boost::test_tools::per_element());
  BOOST_TEST(status(0).state == server_state::suspect);
  probe(0, true);
  BOOST_TEST(status(0).state == server_state::healthy);
}

BOOST_FIXTURE_TEST_CASE(a_failed_probe_of_a_suspected_server_opens_its_breaker, breaker_fixture) {
  tell(breaker, suspect_atom_v, server_id{0});
  probe(0, false);
  BOOST_TEST(status(0).breaker == breaker_state::open);
  BOOST_TEST(status(0).last_error == "probe refused");
  BOOST_TEST(perform().ok());
  BOOST_TEST(pools[1]->calls.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(the_last_server_is_given_more_time_before_it_is_given_up, breaker_fixture) {
  for (const server_id id : {0U, 1U}) tell(breaker, suspect_atom_v, id);
  auto late = probed(false, 0);
  late.hurried = true;
  tell(breaker, probe_atom_v, late);
  BOOST_TEST(status(0).breaker == breaker_state::open);
  late.server = 1;
  tell(breaker, probe_atom_v, late);
  BOOST_TEST(status(1).breaker == breaker_state::closed);
  BOOST_TEST(monitor->probes == (std::vector<server_id>{0, 1, 1}), boost::test_tools::per_element());
  BOOST_TEST(perform().ok());
  late.hurried = false;
  tell(breaker, probe_atom_v, late);
  BOOST_TEST(status(1).breaker == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(a_lost_connection_has_the_server_probed_once, breaker_fixture) {
  fail(0, 2);
  BOOST_TEST(status(0).breaker == breaker_state::closed);
  BOOST_TEST(monitor->probes == std::vector<server_id>{0}, boost::test_tools::per_element());
  probe(0, false);
  BOOST_TEST(status(0).breaker == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(a_sole_server_that_loses_a_connection_keeps_its_callers, sole_server) {
  fail(0, 1);
  BOOST_TEST(monitor->probes.empty());
  BOOST_TEST(status(0).breaker == breaker_state::closed);
}

BOOST_FIXTURE_TEST_CASE(a_busy_or_slow_server_is_not_probed_for_that, breaker_fixture) {
  fail(0, 1, failure_class::overload);
  fail(0, 1, failure_class::slow);
  fail(0, 1, failure_class::policy);
  BOOST_TEST(monitor->probes.empty());
}

BOOST_FIXTURE_TEST_CASE(silence_at_a_server_known_to_fail_is_told_to_its_pool_again, breaker_fixture) {
  fail(0);
  const auto probes = monitor->probes;
  BOOST_REQUIRE_EQUAL(pools[0]->states.size(), 1U);
  tell(breaker, suspect_atom_v, server_id{0});
  BOOST_REQUIRE_EQUAL(pools[0]->states.size(), 2U);
  BOOST_TEST(pools[0]->states[1] == breaker_state::open);
  BOOST_TEST(monitor->probes == probes, boost::test_tools::per_element());
  tell(breaker, suspect_atom_v, server_id{9});
}

/// What is known of a server that failed may be old: it is looked at as soon as nothing else is known to serve.
BOOST_FIXTURE_TEST_CASE(a_server_that_failed_is_looked_at_when_the_last_one_fails_or_falls_silent, breaker_fixture) {
  all.breaker.open_base = all.breaker.open_cap = seconds{60};
  tell_servers();
  report(ready(1));
  fail(0);
  const auto looked_at_after = [&](const std::function<void()>& change) {
    advance(seconds{2});
    monitor->probes.clear();
    change();
    return std::count(monitor->probes.begin(), monitor->probes.end(), server_id{0});
  };
  BOOST_TEST(looked_at_after([&] { tell(breaker, suspect_atom_v, server_id{1}); }) == 1);
  probe(1, true);
  BOOST_TEST(looked_at_after([&] {
               outcome_report mute;
               mute.server = 1;
               mute.silent = true;
               report(mute);
             }) == 1);
  report(ready(1));
  BOOST_TEST(looked_at_after([&] { fail(1, 1); }) == 0, "one failure is no reason");
  BOOST_TEST(looked_at_after([&] { fail(1); }) == 1);
  BOOST_TEST(status(1).breaker == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(suspended_by_an_operator_for_a_while, breaker_fixture) {
  BOOST_TEST(*ask<bool>(breaker, suspend_atom_v, server_id{0}, std::uint32_t{5}).value == true);
  BOOST_TEST(*ask<bool>(breaker, suspend_atom_v, server_id{9}, std::uint32_t{5}).value == false);
  BOOST_TEST(status(0).state == server_state::suspended);
  BOOST_TEST(pools[0]->states.back() == breaker_state::suspended);
  advance(milliseconds{4999});
  BOOST_TEST(status(0).state == server_state::suspended);
  advance(milliseconds{1});
  BOOST_TEST(status(0).state == server_state::healthy);
  BOOST_TEST(*ask<bool>(breaker, resume_atom_v, server_id{0}).value == true);
  BOOST_TEST(*ask<bool>(breaker, resume_atom_v, server_id{9}).value == false);
}

BOOST_FIXTURE_TEST_CASE(half_open_lets_few_trials_through, sole_server) {
  pools[0]->keeps = true;
  fail(0);
  probe(0, true);
  std::vector<answer_ptr<result_ptr>> asked;
  for (int i = 0; i < 10; ++i) asked.push_back(start<result_ptr>(breaker, perform_atom_v, ask_for()));
  run();
  BOOST_TEST(pools[0]->calls.size() == 3U);
  BOOST_TEST(pools[0]->calls[0].trial);
  for (std::size_t i = 3; i < 10; ++i) BOOST_TEST(asked[i]->code() == errc::breaker_open);
  report(trial(succeeded(pools[0]->calls[0].generation, 1, 0)));
  start<result_ptr>(breaker, perform_atom_v, ask_for());
  run();
  BOOST_TEST(pools[0]->calls.size() == 4U);
}

BOOST_FIXTURE_TEST_CASE(late_results_of_the_time_before_do_not_open_it_again, sole_server) {
  perform();
  const auto before = pools[0]->calls[0].generation;
  fail(0);
  probe(0, true);
  probe(0, true);
  BOOST_REQUIRE_EQUAL(status(0).breaker, breaker_state::closed);
  for (int i = 0; i < 64; ++i) report(failed(before));
  BOOST_TEST(status(0).breaker == breaker_state::closed);
}

/// Nobody probes it any more: silence alone has to do.
BOOST_FIXTURE_TEST_CASE(the_pool_of_a_removed_server_is_told_of_silence_there_while_another_serves, breaker_fixture) {
  const auto removed = pools[0];
  tell(breaker, suspect_atom_v, server_id{0});
  BOOST_TEST(removed->states.empty());
  // What was silent before, and what falls silent after it was taken out.
  tell(breaker, servers_atom_v, std::vector{routed_server{context(all.servers[1], all, 1), pools[1]->handle}});
  BOOST_TEST_REQUIRE(removed->states.size() == 1U);
  BOOST_TEST(removed->states[0] == breaker_state::open);
  tell(breaker, suspect_atom_v, server_id{0});
  BOOST_TEST_REQUIRE(removed->states.size() == 2U);
  BOOST_TEST(removed->states[1] == breaker_state::open);
  fail(1);
  tell(breaker, suspect_atom_v, server_id{0});
  BOOST_TEST(removed->states.size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(what_was_under_way_at_the_stop_is_told_that_it_was_cut_off, breaker_fixture) {
  tell(breaker, drain_atom_v);
  auto late = ask_for();
  late.attempts = 1;
  late.last = refused();
  const auto cut = perform(late);
  BOOST_TEST(cut.code() == errc::draining);
  BOOST_TEST(cut.error->message.find("was cut off") != std::string::npos, cut.error->message);
  BOOST_TEST(cut.error->message.find("limits.drain_timeout") != std::string::npos, cut.error->message);
  BOOST_TEST(perform().error->message.find("takes nothing new") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(draining_refuses_everything_new, breaker_fixture) {
  tell(breaker, drain_atom_v);
  BOOST_TEST(perform().code() == errc::draining);
  lease_request want;
  want.deadline = now() + seconds{5};
  BOOST_TEST(ask<lease_grant>(breaker, lease_atom_v, want).code() == errc::draining);
  auto token = std::make_shared<cancel_token>();
  tell(breaker, cancel_atom_v, token);
  BOOST_TEST(pools[0]->cancels.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(new_settings_come_with_the_servers, sole_server) {
  all.breaker.circuit_breaker_threshold = 2;
  tell_servers();
  fail(0, 2);
  BOOST_TEST(status(0).breaker == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(failure_rate_and_window_come_with_the_settings, sole_server) {
  all.breaker.circuit_breaker_threshold = 1000;
  all.breaker.failure_rate = 20;
  all.breaker.window = seconds{3};
  tell_servers();
  fail(0, 4);
  advance(seconds{4});  // forgotten by then
  report(succeeded(0, 20));
  fail(0, 4);
  BOOST_TEST(status(0).breaker == breaker_state::closed);  // 4 of 24 calls
  fail(0, 1);
  BOOST_TEST(status(0).breaker == breaker_state::open);  // 5 of 25
}

BOOST_FIXTURE_TEST_CASE(a_server_without_pool_is_never_routed_to, breaker_fixture) {
  std::vector<routed_server> broken{{context(all.servers[0], all, 0), pool_actor{}}, {nullptr, pools[1]->handle}};
  tell(breaker, servers_atom_v, broken);
  BOOST_TEST(perform().code() == errc::no_server);
}

BOOST_FIXTURE_TEST_CASE(without_a_monitor_trials_close_the_breaker, sole_server) {
  kill(monitor->handle);
  monitor->handle = nullptr;
  tell(breaker, health_atom_v, caf::actor_addr{});
  fail(0);
  advance(milliseconds{1200});
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(perform().ok());
    report(trial(succeeded(pools[0]->calls.back().generation, 1, 0)));
  }
  BOOST_TEST(status(0).breaker == breaker_state::closed);
}

BOOST_FIXTURE_TEST_CASE(a_killed_pool_fails_its_requests_with_an_error, sole_server) {
  kill(pools[0]->handle);
  const auto a = perform();
  BOOST_TEST(a.done());
  BOOST_TEST(!a.ok());
}

namespace {

/// A log that throws when it is armed.
struct broken_log final : log_port {
  explicit broken_log(std::shared_ptr<log_port> next) : inner(std::move(next)) {}
  bool enabled(log_level) const override { return true; }
  void write(log_level level, std::string_view component, std::string_view text, const fields& more) override {
    if (std::exchange(fuse, false)) throw std::runtime_error("no room for a line");
    inner->write(level, component, text, more);
  }
  std::shared_ptr<log_port> inner;
  bool fuse = false;
};

/// A clock that throws when it is armed.
struct broken_clock final : clock_port {
  explicit broken_clock(std::shared_ptr<clock_port> next) : inner(std::move(next)) {}
  time_point now() const override {
    if (fuse.exchange(false)) throw std::runtime_error("no time");
    return inner->now();
  }
  wall_time wall_now() const override { return inner->wall_now(); }
  std::shared_ptr<clock_port> inner;
  mutable std::atomic<bool> fuse{false};
};

struct broken_world : breaker_fixture {
  std::shared_ptr<broken_clock> bad_clock = std::make_shared<broken_clock>(clock);
  std::shared_ptr<broken_log> bad_log = std::make_shared<broken_log>(log);

  broken_world() : breaker_fixture({1, 2}) {
    auto world = *env;
    world.clock = bad_clock;
    world.log = bad_log;
    kill(breaker);
    breaker = own(spawn_circuit_breaker(system, std::make_shared<const environment>(world),
                                        std::make_shared<const settings>(all)));
    tell_servers();
    tell(breaker, health_atom_v, monitor->handle.address());
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(an_exception_answers_one_request_and_the_breaker_goes_on, broken_world) {
  fail(0, 4);
  bad_clock->fuse = true;
  BOOST_TEST(perform().code() == errc::internal);
  BOOST_TEST(perform().ok());
  // What was known is kept: one more failure opens it. The log line of that is lost, the news is not.
  bad_log->fuse = true;
  fail(0, 1);
  BOOST_TEST(status(0).breaker == breaker_state::open);
  BOOST_TEST(pools[0]->states.back() == breaker_state::open);
  advance(milliseconds{1200});
  BOOST_TEST(status(0).breaker == breaker_state::half_open);
}

BOOST_FIXTURE_TEST_CASE(exceptions_without_end_bring_it_down_for_its_supervisor, broken_world) {
  for (int i = 0; i < 6; ++i) {
    bad_clock->fuse = true;
    perform();
  }
  BOOST_TEST(!perform().ok());
  BOOST_TEST(log->contains("ending"));
}

/// The monitor decides how long a probe may take by what this one knows.
BOOST_FIXTURE_TEST_CASE(the_monitor_knows_before_it_is_asked_whether_a_server_can_be_replaced, breaker_fixture) {
  BOOST_TEST(monitor->told.replace(0));
  BOOST_TEST(monitor->told.replace(1));
  outcome_report silent;
  silent.silent = true;
  for (const server_id each : {0, 1}) {
    silent.server = each;
    report(silent);
  }
  for (const server_id each : {0, 1}) BOOST_TEST(!monitor->told.replace(each));
  BOOST_TEST_REQUIRE(!monitor->probes.empty());
  BOOST_TEST(monitor->probes[0] == 0U);
  BOOST_TEST(monitor->replaceable_when_asked[0], "the other one was not silent then");
  tell(breaker, suspect_atom_v, server_id{1});
  BOOST_TEST_REQUIRE(monitor->probes.back() == 1U);
  BOOST_TEST(!monitor->replaceable_when_asked.back());
  outcome_report heard;
  heard.server = 0;
  heard.ready = true;
  report(heard);
  BOOST_TEST(monitor->told.replace(1));
  BOOST_TEST(!monitor->told.replace(0));
  fail(0);
  BOOST_TEST(!monitor->told.replace(1));
}

BOOST_FIXTURE_TEST_CASE(silence_that_is_over_lets_a_server_replace_another_again, breaker_fixture) {
  outcome_report silent;
  silent.server = 1;
  silent.silent = true;
  report(silent);
  BOOST_TEST(!monitor->told.replace(0));
  advance(all.breaker.open_cap + seconds{1});
  tell(breaker, suspect_atom_v, server_id{0});
  BOOST_TEST_REQUIRE(monitor->probes.back() == 0U);
  BOOST_TEST(monitor->replaceable_when_asked.back());
}
