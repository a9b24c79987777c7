// That each mechanism matters: the essence of its scenario holds with it and breaks without it.
#include "scenarios/scenario.hpp"
#include "scenarios/weakened.hpp"
#include "understudy/runtime/client/client.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// What a scenario states and did not hold, in words.
using broken_statements = std::vector<std::string>;

std::string listed(const broken_statements& all) {
  std::string text;
  for (const auto& one : all) text += one + "; ";
  return text;
}

void check_matters(broken_statements (*play)(without), without mechanism) {
  leak_guard leaks;
  const auto with_it = play(without::nothing);
  BOOST_TEST(with_it.empty(), "with everything in its place: " << listed(with_it));
  const auto without_it = play(mechanism);
  BOOST_TEST_MESSAGE("without it: " << listed(without_it));
  BOOST_TEST(!without_it.empty(), "nothing breaks without it");
}

/// Settings under which nothing happens but what the play brings about.
settings quiet_settings(std::vector<connection_info> servers) {
  auto all = quick_settings(std::move(servers));
  all.failover.health_check_interval = 1h;
  all.pool.health_check_interval = 1h;
  all.breaker.suspect_after = 1h;
  all.breaker.slow_call = 1h;
  all.recovery.auto_recovery = false;
  all.recovery.reconnect_attempts = 0;
  return all;
}

settings quiet_settings(const stub_directory& a, const stub_directory& b) {
  return quiet_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
}

bool is_ready(const weakened_directory& there, server_id id, std::uint32_t connections) {
  return eventually([&] { return there.server(id).pool.now.idle >= connections; });
}

constexpr const char* not_ready = "the pool is not ready";

/// A connection is cut with reads in flight: each is answered.
broken_statements play_redispatch(without missing) {
  stub_directory a, b;
  a.disturb(operation::search, {.silent = true, .then = ending::reset});
  weakened_directory there(quiet_settings(a, b), missing);
  if (!is_ready(there, 0, 2)) return {not_ready};
  std::vector<std::future<outcome>> reads;
  for (int i = 0; i < 16; ++i) reads.push_back(there.async_search(search_for("(uid=user1)"), {20s}));
  broken_statements broken;
  for (auto& one : reads)
    if (const auto answer = one.get(); !answer) broken.push_back(why(answer));
  return broken;
}

/// A connection is cut with writes in flight: none is sent twice.
broken_statements play_safe_to_repeat(without missing) {
  stub_directory a, b;
  a.disturb(operation::modify, {.silent = true, .then = ending::close});
  weakened_directory there(quiet_settings(a, b), missing);
  if (!is_ready(there, 0, 2)) return {not_ready};
  for (int i = 0; i < 5; ++i) (void)there.try_modify(replace_description(user_dn(i), "x"), {20s});
  std::map<std::string, int> sent;
  for (const auto* stub : {&a, &b})
    for (const auto& request : stub->requests(operation::modify)) ++sent[request.dn];
  broken_statements broken;
  if (sent.empty()) broken.push_back("nothing was sent");
  for (const auto& [dn, times] : sent)
    if (times != 1) broken.push_back(dn + " was sent " + std::to_string(times) + " times");
  return broken;
}

/// A wrong service password is tried once in all.
broken_statements play_bind_lockout_guard(without missing) {
  stub_options with;
  with.passwords = {{admin_dn, "another"}};
  stub_directory a(with), b(with), c(with);
  auto all = quiet_settings({server_at(a.port(), 1), server_at(b.port(), 2), server_at(c.port(), 3)});
  all.pool.preload_connections = true;
  weakened_directory there(all, missing);
  const auto binds = [&] { return a.binds().size() + b.binds().size() + c.binds().size(); };
  for (int i = 0; i < 5; ++i) (void)there.try_search(search_for("(uid=user1)"), {1s});
  if (!eventually([&] { return binds() > 0; })) return {"nobody tried"};
  if (holds_for([&] { return binds() == 1u; }, 500ms)) return {};
  return {std::to_string(binds()) + " binds were sent"};
}

/// A server falls silent: reads are answered elsewhere long before their deadline.
broken_statements play_suspicion(without missing) {
  stub_directory a, b;
  auto all = quiet_settings(a, b);
  all.breaker.suspect_after = 300ms;
  weakened_directory there(all, missing);
  if (!is_ready(there, 0, 2)) return {not_ready};
  a.disturb_all({.silent = true});
  const auto answer = there.try_search(search_for("(uid=user1)"), {5s});
  return answer ? broken_statements{} : broken_statements{why(answer)};
}

/// A waiter whose deadline passes leaves the queue and is not granted late.
broken_statements play_waiters_deadlines(without missing) {
  stub_directory a;
  auto server = server_at(a.port());
  server.pool_size = server.max_pool_size = 1;
  weakened_directory there(quiet_settings({server}), missing);
  auto held = there.stage().client().acquire({});
  if (!held) return {describe(*held.error)};
  lease_request wish;
  wish.deadline = std::chrono::steady_clock::now() + 300ms;
  wish.holder = "one in a hurry";
  const auto late = there.stage().client().ask<lease_grant>(there.stage().router(), 2s, lease_atom_v, wish);
  broken_statements broken;
  if (late || late.error->code != errc::pool_timeout)
    broken.push_back("the pool did not say that the time is over: " + (late ? "granted" : describe(*late.error)));
  if (there.server(0).pool.now.waiters != 0) broken.push_back("it still waits");
  const auto before = there.server(0).pool.acquired;
  held.value->release();
  if (!holds_for([&] { return there.server(0).pool.acquired == before; }, 500ms)) broken.push_back("granted late");
  return broken;
}

/// The holder of a lease dies: the connection returns.
broken_statements play_lease_monitor(without missing) {
  stub_directory a;
  weakened_directory there(quiet_settings({server_at(a.port())}), missing);
  auto granted = std::make_shared<std::promise<bool>>();
  auto holder =
      there.stage().system().spawn([granted, router = there.stage().router(),
                                    manager = there.stage().manager()](caf::event_based_actor* self) -> caf::behavior {
        lease_request wish;
        wish.deadline = std::chrono::steady_clock::now() + 10s;
        self->request(router, seconds{20}, lease_atom_v, wish)
            .then(
                [=](const lease_grant& grant) {
                  self->send(manager, claim_atom_v, grant.server, grant.id);
                  granted->set_value(true);
                },
                [=](caf::error&) { granted->set_value(false); });
        return {[](int) {}};
      });
  broken_statements broken;
  if (!granted->get_future().get()) broken.push_back("no lease was granted");
  if (!eventually([&] { return there.server(0).pool.leased == 1u; })) broken.push_back("nothing is leased");
  caf::anon_send_exit(holder, caf::exit_reason::kill);
  holder = nullptr;
  if (!eventually([&] { return there.server(0).pool.leased == 0u; }, 3s)) broken.push_back("the lease is out for ever");
  return broken;
}

/// Failures of before a server was taken out and put back do not speak against it now.
broken_statements play_generation_numbers(without missing) {
  stub_directory a, b;
  auto preferred = server_at(a.port(), 1);
  preferred.pool_size = preferred.max_pool_size = 1;
  weakened_directory there(quiet_settings({preferred, server_at(b.port(), 2)}), missing);
  if (!is_ready(there, 0, 1)) return {not_ready};
  const auto is_old = [](const directory_request& r) { return r.filter == "(uid=old)"; };
  a.when(is_old, [](const directory_request&) { return reply{{.code = result_code::busy}, {.hold = true}}; });
  std::vector<std::future<outcome>> old_ones;
  for (int i = 0; i < 6; ++i) old_ones.push_back(there.async_search(search_for("(uid=old)"), {20s}));
  const auto arrived = [&] {
    const auto all = a.requests(operation::search);
    return std::count_if(all.begin(), all.end(), is_old);
  };
  if (!eventually([&] { return arrived() == 6; })) return {"they did not arrive"};
  auto& client = there.stage().client();
  for (const bool out : {true, false}) {
    const auto done = out ? client.ask<bool>(there.stage().manager(), 20s, suspend_atom_v, server_id{0}, 0u)
                          : client.ask<bool>(there.stage().manager(), 20s, resume_atom_v, server_id{0});
    if (!done) return {describe(*done.error)};
  }
  // Its answer brings theirs along.
  const auto newer = there.try_search(search_for("(uid=new)"), {20s});
  for (auto& one : old_ones) (void)one.get();
  broken_statements broken;
  if (!newer || newer->server != name_of(a.port())) broken.push_back("it does not serve: " + why(newer));
  if (there.server(0).breaker_opened != 0) broken.push_back("the breaker opened");
  return broken;
}

/// A server that flaps gets requests again only after ever longer pauses.
broken_statements play_damping(without missing) {
  constexpr int flaps = 8, tolerated = 4;
  stub_directory a, b;
  auto all = quiet_settings(a, b);
  all.failover.health_check_interval = 50ms;
  all.failover.hold_down = 100ms;
  all.failover.ramp = duration::zero();
  all.breaker.open_base = 20ms;
  all.breaker.open_cap = 10s;
  weakened_directory there(all, missing);
  background_load reads(there, 4);
  const auto closed = [&] { return there.server(0).breaker == breaker_state::closed; };
  int returns = 0;
  for (int flap = 0; flap < flaps; ++flap) {
    a.stop();
    if (!eventually([&] { return !closed(); })) return {"nobody saw it go"};
    a.start();
    if (!eventually(closed)) return {"nobody saw it come"};
    reads.forget();
    if (!holds_for([&] { return reads.by_server().count(name_of(a.port())) == 0; }, 300ms)) ++returns;
  }
  reads.finish();
  broken_statements broken;
  if (!reads.failures().empty()) broken.push_back(reads.example());
  if (returns > tolerated) broken.push_back("requests returned to it " + std::to_string(returns) + " times");
  return broken;
}

/// A connection that has served its time goes on until the one that replaces it is ready.
broken_statements play_make_before_break(without missing) {
  stub_directory a;
  auto server = server_at(a.port());
  server.pool_size = 1;
  server.max_pool_size = 2;
  auto all = quiet_settings({server});
  all.pool.max_lifetime = 1s;
  weakened_directory there(all, missing);
  if (!is_ready(there, 0, 1)) return {not_ready};
  background_load reads(there, 2);
  std::atomic<int> held_up{0};
  a.on(operation::bind, [&](const directory_request& r) {
    ++held_up;
    return reply{a.usual(r).what, {.delay = 6s}};
  });
  if (!eventually([&] { return held_up > 0; })) return {"it was not replaced"};
  broken_statements broken;
  const auto so_far = reads.succeeded();
  if (!eventually([&] { return reads.succeeded() > so_far + 20; }, 4s))
    broken.push_back("everybody waits for the new one");
  reads.finish();
  if (!reads.failures().empty()) broken.push_back(reads.example());
  return broken;
}

}  // namespace

BOOST_AUTO_TEST_CASE(without_redispatch_scenario_02_fails) { check_matters(play_redispatch, without::redispatch); }

BOOST_AUTO_TEST_CASE(without_the_safe_to_repeat_rule_scenario_02_fails) {
  check_matters(play_safe_to_repeat, without::safe_to_repeat);
}

BOOST_AUTO_TEST_CASE(without_the_bind_lockout_guard_scenario_15_fails) {
  check_matters(play_bind_lockout_guard, without::bind_lockout_guard);
}

BOOST_AUTO_TEST_CASE(without_suspicion_scenario_01_fails) { check_matters(play_suspicion, without::suspicion); }

BOOST_AUTO_TEST_CASE(without_the_waiters_deadlines_scenario_20_fails) {
  check_matters(play_waiters_deadlines, without::waiters_deadlines);
}

BOOST_AUTO_TEST_CASE(without_the_lease_monitor_scenario_24_fails) {
  check_matters(play_lease_monitor, without::lease_monitor);
}

BOOST_AUTO_TEST_CASE(without_generation_numbers_late_failures_open_the_breaker) {
  check_matters(play_generation_numbers, without::generation_numbers);
}

BOOST_AUTO_TEST_CASE(without_damping_scenario_11_fails) { check_matters(play_damping, without::damping); }

BOOST_AUTO_TEST_CASE(without_make_before_break_scenario_25_fails) {
  check_matters(play_make_before_break, without::make_before_break);
}
