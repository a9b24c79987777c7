// Scenarios 21, 24, 26: leases whose connection breaks, that are kept too long or given back wrongly; slow ones.
#include "scenarios/pool_rig.hpp"
#include "understudy/runtime/runtime.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// A runtime of its own, with an actor in it that gets a lease and, when it is told to, claims it.
struct actor_holder {
  explicit actor_holder(const settings& all) : stage(std::make_shared<const settings>(all)) {}

  caf::actor hold(bool claim) {
    auto granted = std::make_shared<std::promise<void>>();
    auto got = granted->get_future();
    auto holder = stage.system().spawn([this, granted, claim](caf::event_based_actor* self) -> caf::behavior {
      lease_request ask;
      ask.deadline = std::chrono::steady_clock::now() + 10s;
      ask.holder = "an actor";
      self->request(stage.router(), std::chrono::seconds{11}, lease_atom_v, ask)
          .then([this, self, granted, claim](const lease_grant& grant) {
            if (claim) self->send(stage.manager(), claim_atom_v, grant.server, grant.id);
            granted->set_value();
          });
      return {[](int) {}};
    });
    BOOST_TEST_REQUIRE((got.wait_for(15s) == std::future_status::ready));
    return holder;
  }
  pool_snapshot pool() const {
    const auto now = stage.snapshot();
    BOOST_TEST_REQUIRE(static_cast<bool>(now));
    return now.value->servers.front().pool;
  }
  /// The runtime's part of end_scenario().
  void end(const stub_directory& server) {
    BOOST_TEST(eventually([&] { return pool().now.size == server.open_connections(); }));
    const auto last = stage.snapshot();
    BOOST_TEST_REQUIRE(static_cast<bool>(last));
    check_leases(*last.value, true);
    BOOST_TEST(stage.stop(5s));
    BOOST_TEST(eventually([&] { return server.open_connections() == 0u; }));
  }

  runtime stage;
};

/// Leases taken, used and given back again by several threads at once.
std::uint64_t lease_cycles(connection_manager& manager, int threads, int cycles) {
  std::atomic<std::uint64_t> done{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < threads; ++i)
    callers.emplace_back([&] {
      for (int n = 0; n < cycles; ++n) {
        lease_options patient;
        patient.timeout = 30s;
        try {
          auto held = manager.get_connection(patient);
          if (held.whoami({30s}) == service_identity() && held.release()) ++done;
        } catch (const ldap_exception& e) {
          BOOST_TEST_MESSAGE(e.what());
        }
      }
    });
  for (auto& caller : callers) caller.join();
  return done;
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_21_a_waiter_whose_connection_breaks_gets_the_next_good_one) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(one_pool(a.port(), 1, 1));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  auto holder = manager.get_connection();
  auto waiter = std::async(std::launch::async, [&] {
    lease_options patient;
    patient.timeout = 30s;
    return manager.get_connection(patient).whoami();
  });
  BOOST_TEST_REQUIRE(eventually([&] { return pool_at(manager, a.port()).now.waiters == 1u; }));
  // What it waits for breaks, and so do the next two, at their bind.
  a.disturb(operation::bind, {.silent = true, .then = ending::reset}, 2);
  a.reset_all();
  BOOST_TEST_REQUIRE((waiter.wait_for(30s) == std::future_status::ready));
  std::string identity;
  BOOST_CHECK_NO_THROW(identity = waiter.get());
  BOOST_TEST(identity == service_identity());
  BOOST_TEST(!holder.release());
  BOOST_TEST(pool_at(manager, a.port()).timeouts == 0u);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_21_an_operation_whose_connection_breaks_is_answered_by_the_next_good_one) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(one_pool(a.port(), 1, 3));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.disturb(operation::search, {.silent = true, .then = ending::close}, 2);
  const auto answer = manager.try_search(search_for("(uid=user1)"), {30s});
  BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
  BOOST_TEST(answer->entries.size() == 1u);
  // One of the two may have been the monitor's.
  BOOST_TEST(pool_at(manager, a.port()).closed >= 1u);
  a.forget_rules();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_21_a_waiter_keeps_its_own_deadline_while_connections_keep_breaking) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 1, 1);
  // Neither its attempts nor the breaker end the wait before its deadline does.
  all.servers[0].max_retries = 100;
  all.breaker.circuit_breaker_threshold = 1000;
  all.failover.health_check_interval = all.pool.health_check_interval = 60s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.disturb(operation::bind, {.silent = true, .then = ending::reset});
  a.reset_all();
  BOOST_TEST(eventually([&] { return pool_at(manager, a.port()).connect_failures > 0u; }));
  // An impatient one leaves at its own deadline, the patient one stays and is served when that is over.
  auto patient = manager.async_search(search_for("(uid=patient)"), {60s});
  BOOST_TEST(!manager.try_search(search_for("(uid=impatient)"), {300ms}));
  BOOST_TEST((patient.wait_for(0s) == std::future_status::timeout));
  a.forget_rules();
  BOOST_TEST_REQUIRE((patient.wait_for(60s) == std::future_status::ready));
  const auto served = patient.get();
  BOOST_TEST(static_cast<bool>(served), why(served));
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_24_a_lease_held_too_long_is_reported_with_its_holder) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 2, 5);
  all.pool.leak_threshold = 1s;
  log_lines log;
  connection_manager manager(all);
  manager.set_log(log.sink());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  lease_options named;
  named.holder = "nightly-export";
  auto held = manager.get_connection(named);
  BOOST_TEST(eventually([&] { return log.has("nightly-export"); }));
  BOOST_TEST(pool_at(manager, a.port()).leaks == 1u);
  BOOST_TEST(holds_for([&] { return log.count("nightly-export") == 1u; }, 1500ms), "reported again and again");
  BOOST_TEST(held.whoami() == service_identity());
  BOOST_TEST(held.release());
  BOOST_TEST(eventually([&] { return log.has("of nightly-export returned after"); }));
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_24_the_lease_of_a_dead_actor_returns) {
  leak_guard leaks;
  stub_directory a;
  actor_holder actors(one_pool(a.port(), 2, 5));
  auto holder = actors.hold(true);
  BOOST_TEST(eventually([&] { return actors.pool().leased == 1u; }));
  BOOST_TEST(holds_for([&] { return actors.pool().leased == 1u; }, 1500ms), "a claimed lease was taken back");
  caf::anon_send_exit(holder, caf::exit_reason::kill);
  holder = nullptr;
  BOOST_TEST(eventually([&] { return actors.pool().leased == 0u; }));
  actors.end(a);
}

BOOST_AUTO_TEST_CASE(scenario_24_a_grant_that_nobody_claims_is_taken_back) {
  leak_guard leaks;
  stub_directory a;
  actor_holder actors(one_pool(a.port(), 2, 5));
  auto holder = actors.hold(false);
  BOOST_TEST(eventually([&] { return actors.pool().acquired == 1u && actors.pool().leased == 0u; }));
  caf::anon_send_exit(holder, caf::exit_reason::user_shutdown);
  holder = nullptr;
  actors.end(a);
}

BOOST_AUTO_TEST_CASE(scenario_24_wrong_returns_are_told_apart) {
  leak_guard leaks;
  stub_directory a, b;
  connection_manager manager(one_pool(a.port(), 2, 5)), other(one_pool(b.port(), 1, 3));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(other.connect().connected);
  auto mine = manager.get_connection();
  // Foreign: refused, and still mine.
  BOOST_CHECK_THROW(other.return_connection(mine), connection_unhealthy);
  BOOST_TEST(mine.whoami() == service_identity());
  // Twice.
  BOOST_TEST(manager.return_connection(mine));
  BOOST_TEST(!manager.return_connection(mine));
  BOOST_TEST(!mine.release());
  BOOST_TEST(!static_cast<bool>(mine));
  const auto after = mine.try_whoami();
  BOOST_TEST(after.code() == errc::invalid_lease);
  BOOST_TEST(after.error()->message.find("ended") != std::string::npos, after.error()->message);
  // Closed meanwhile.
  auto cut = manager.get_connection();
  a.close_all();
  BOOST_TEST(eventually([&] { return cut.try_whoami({1s}).code() == errc::connection_unhealthy; }));
  BOOST_TEST(!cut.release());
  BOOST_TEST(!cut.release());
  // After a stop.
  auto late = other.get_connection();
  BOOST_TEST(!other.disconnect(), "a lease was cut off");
  BOOST_TEST(!late.release());
  BOOST_TEST(late.try_whoami().code() == errc::invalid_lease);
  BOOST_CHECK_THROW(other.get_connection(), ldap_exception);
  BOOST_TEST(eventually([&] { return b.open_connections() == 0u; }));
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_26_a_slow_validation_holds_up_nobody) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(one_pool(a.port(), 3, 4));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto pooled = pooled_connections(manager, a, 3);
  BOOST_TEST_REQUIRE(at_rest(manager, a.port(), 3));
  // The reads that show whether an idle connection works are not answered; the monitor's own are: the server is well.
  const auto is_check = [&](const directory_request& r) {
    return r.kind == operation::search && r.dn.empty() && pooled.count(r.connection) > 0;
  };
  std::atomic<int> unanswered{0};
  a.when(is_check, [&](const directory_request&) {
    ++unanswered;
    return reply{{}, {.silent = true}};
  });
  BOOST_TEST_REQUIRE(eventually([&] { return unanswered >= 2; }));
  BOOST_TEST(lease_cycles(manager, 4, 25) == 100u);
  a.forget_rules();
  BOOST_TEST(eventually([&] { return pool_at(manager, a.port()).now.idle >= 3u; }));
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_26_a_slow_connect_holds_up_nobody) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 2, 6);
  // The monitor's next connection would fare no better, and the breaker open.
  all.failover.health_check_interval = all.pool.health_check_interval = 600s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(at_rest(manager, a.port(), 2));
  // More leases than connections: others are opened, whose binds are not answered.
  a.disturb(operation::bind, {.silent = true});
  const auto binds = a.binds().size();
  BOOST_TEST(lease_cycles(manager, 4, 25) == 100u);
  BOOST_TEST(a.binds().size() > binds, "nothing was connecting");
  BOOST_TEST(pool_at(manager, a.port()).now.connecting >= 1u);
  BOOST_TEST(pool_at(manager, a.port()).connect_failures == 0u);
  // They are given up when the server's timeout has passed; not waited for here.
  a.forget_rules();
  a.close_all();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_26_a_slow_return_holds_up_nobody) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(one_pool(a.port(), 3, 4));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(at_rest(manager, a.port(), 3));
  auto held = manager.get_connection();
  held.bind({user_dn(1), secret{"x"}});
  const auto theirs = last_bound_as(a, user_dn(1));
  // Taking the service's identity again takes for ever, and so does the end of that connection.
  a.when([theirs](const directory_request& r) { return r.connection == theirs; },
         [](const directory_request&) {
           return reply{{}, {.silent = true}};
         });
  const auto before = a.binds().size();
  BOOST_TEST(held.release());
  BOOST_TEST_REQUIRE(eventually([&] { return a.binds().size() > before; }));
  BOOST_TEST(lease_cycles(manager, 4, 25) == 100u);
  BOOST_TEST(a.identities().count(theirs) == 1u, "it did not take as long as it should");
  a.forget_rules();
  a.close_all();
  end_scenario(manager, {a});
}
