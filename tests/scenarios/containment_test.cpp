// Scenario 42: exceptions inside actors are contained where they happen; what cannot be contained ends everything in
// an orderly way.
#include "scenarios/sabotage.hpp"
#include "understudy/runtime/client/client.hpp"

#include <boost/test/unit_test.hpp>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// Writes that can be told apart, so that one sent twice is seen.
request_ptr unique_write(int number) {
  return make_request(replace_description(user_dn(number % 10), "write " + std::to_string(number)));
}

void check_sent_once(const std::vector<const stub_directory*>& servers) {
  std::map<std::string, int> sent;
  for (const auto* server : servers)
    for (const auto& request : server->requests(operation::modify)) ++sent[request.changes.at(0).target.values.at(0)];
  BOOST_TEST(!sent.empty());
  for (const auto& [what, times] : sent) BOOST_TEST(times == 1, what << " was sent " << times << " times");
}

/// Only failures of these kinds, and no more than `most`.
void check_failures(const background_load& load, const std::vector<errc>& kinds, std::uint64_t most) {
  std::uint64_t count = 0;
  for (const auto& [code, times] : load.failures()) {
    count += times;
    BOOST_TEST((std::find(kinds.begin(), kinds.end(), code) != kinds.end()),
               times << " " << to_string(code) << "; the first failure of all: " << load.example());
  }
  BOOST_TEST(count <= most, count << " failures: " << load.example());
}

/// Exceptions at several places of that kind of actor, one after the other and under load, cost at most the request
/// that was in hand.
void check_contained(victim target, const std::string& component) {
  leak_guard leaks;
  stub_directory a, b;
  // A restart in place is allowed five times a minute.
  constexpr int places = 4;
  sabotaged_runtime it(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(it.calls().connect());
  const auto router = it.calls().get().router();
  {
    background_load reads(it.calls(), 8), writes(it.calls(), 2, unique_write);
    for (int place = 0; place < places; ++place) {
      it.in(target).set(place);
      BOOST_TEST_REQUIRE(eventually([&] { return it.in(target).sprung() == place + 1; }),
                         target << " was not hit at place " << place);
      const auto so_far = reads.succeeded();
      BOOST_TEST_REQUIRE(eventually([&] { return reads.succeeded() > so_far + 200; }), it.log());
    }
    BOOST_TEST(reads.finish());
    BOOST_TEST(writes.finish());
    check_failures(reads, {errc::internal}, places);
    check_failures(writes, {errc::internal, errc::outcome_unknown}, 2 * places);
  }
  if (!component.empty()) {
    BOOST_TEST(eventually([&] { return it.log_lines(component, "restarted in place") == places; }), it.log());
    BOOST_TEST(it.log_lines(component, "ended") == 0u, it.log());
  }
  const auto now = it.calls().get().client().ask<circuit_breaker_actor>(it.calls().get().manager(), 5s, router_atom_v);
  BOOST_TEST_REQUIRE(static_cast<bool>(now));
  BOOST_TEST((*now.value == router));
  check_sent_once({&a, &b});
  end_scenario(it.calls(), {a, b});
}

/// Threads that ask one question after the other, also when each is refused at once.
class blocking_callers {
 public:
  explicit blocking_callers(directory& to) {
    for (int i = 0; i < 3; ++i) threads_.emplace_back([this, &to] { ask(to); });
  }
  ~blocking_callers() { finish(); }
  blocking_callers(const blocking_callers&) = delete;
  blocking_callers& operator=(const blocking_callers&) = delete;

  void finish() {
    stopping_ = true;
    for (auto& each : std::exchange(threads_, {})) each.join();
  }
  std::uint64_t succeeded() const { return succeeded_; }
  std::uint64_t lost() const { return lost_; }

 private:
  void ask(directory& to) {
    while (!stopping_) {
      const auto answer = to.try_search(search_for("(uid=user1)"), {20s});
      if (answer) ++succeeded_;
      // That a deadline had to end it means that nobody else did.
      if (answer.code() == errc::operation_timeout) ++lost_;
    }
  }

  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> succeeded_{0}, lost_{0};
  std::vector<std::thread> threads_;
};

/// It throws always: the cause goes up until the runtime drains itself. Every caller is told, nothing hangs.
void check_given_up(victim target) {
  leak_guard leaks;
  stub_directory a, b;
  sabotaged_runtime it(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(it.calls().connect());
  {
    blocking_callers callers(it.calls());
    BOOST_TEST_REQUIRE(eventually([&] { return callers.succeeded() > 50; }));
    it.in(target).set(0, 1'000'000'000);
    BOOST_TEST(eventually([&] { return it.log_lines("manager", "drained and stopped") == 1; }), it.log());
    callers.finish();
    BOOST_TEST(callers.lost() == 0u);
  }
  BOOST_TEST(eventually([&] { return it.calls().get().client().closed(); }));
  const auto refused = it.calls().try_search(search_for("(uid=user1)"), {20s});
  BOOST_TEST(refused.code() == errc::stopped, why(refused));
  BOOST_TEST(why(refused).find("ended itself after repeated defects") != std::string::npos, why(refused));
  const auto state = it.calls().get().snapshot(5s);
  BOOST_TEST_REQUIRE(!state);
  BOOST_TEST(describe(*state.error).find("ended itself") != std::string::npos, describe(*state.error));
  BOOST_TEST(!it.calls().get().stop(5s));
  for (auto* server : {&a, &b}) BOOST_TEST(eventually([&] { return server->open_connections() == 0; }));
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_42_an_exception_in_a_pool_is_contained) { check_contained(victim::pool, "pool"); }

BOOST_AUTO_TEST_CASE(scenario_42_an_exception_in_the_health_monitor_is_contained) {
  check_contained(victim::health_monitor, "health monitor");
}

BOOST_AUTO_TEST_CASE(scenario_42_an_exception_in_the_breaker_is_contained) {
  check_contained(victim::breaker, "breaker");
}

BOOST_AUTO_TEST_CASE(scenario_42_an_exception_in_a_connection_is_contained) { check_contained(victim::connection, ""); }

BOOST_AUTO_TEST_CASE(scenario_42_exceptions_while_a_server_fails_and_returns_are_contained) {
  leak_guard leaks;
  stub_directory a, b;
  sabotaged_runtime it(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(it.calls().connect());
  {
    background_load reads(it.calls(), 8);
    for (const auto what : {victim::pool, victim::health_monitor, victim::breaker, victim::connection}) {
      BOOST_TEST_REQUIRE(eventually([&] { return reads.by_server().count(name_of(a.port())) > 0; }), what);
      it.in(what).set(2, 2);
      a.stop();
      BOOST_TEST_REQUIRE(eventually([&] { return it.in(what).sprung() == 2; }), what << " was not hit");
      reads.forget();
      BOOST_TEST_REQUIRE(eventually([&] { return reads.by_server().count(name_of(b.port())) > 0; }), what);
      a.start();
      reads.forget();
    }
    BOOST_TEST(reads.finish());
    check_failures(reads, {errc::internal, errc::stopped}, 8);
  }
  end_scenario(it.calls(), {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_42_a_pool_that_keeps_failing_ends_the_runtime) { check_given_up(victim::pool); }

BOOST_AUTO_TEST_CASE(scenario_42_a_health_monitor_that_keeps_failing_ends_the_runtime) {
  check_given_up(victim::health_monitor);
}

BOOST_AUTO_TEST_CASE(scenario_42_a_breaker_that_keeps_failing_ends_the_runtime) { check_given_up(victim::breaker); }

BOOST_AUTO_TEST_CASE(scenario_42_connections_that_keep_failing_are_errors_until_they_stop) {
  leak_guard leaks;
  stub_directory a;
  sabotaged_runtime it(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(it.calls().connect());
  {
    background_load reads(it.calls(), 4, {}, 5s);
    BOOST_TEST_REQUIRE(eventually([&] { return reads.succeeded() > 50; }));
    it.in(victim::connection).set(0, 1'000'000'000);
    BOOST_TEST_REQUIRE(eventually([&] { return !reads.failures().empty(); }));
    it.in(victim::connection).set(0, 0);
    const auto so_far = reads.succeeded();
    BOOST_TEST(eventually([&] { return reads.succeeded() > so_far + 50; }), it.log());
    BOOST_TEST(reads.finish());
  }
  end_scenario(it.calls(), {a});
}
