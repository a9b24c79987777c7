// Scenario 44: somebody sets the machine's clock, by an hour, forth and back.
#include "scenarios/bare_runtime.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// The real clocks, but the wall's can be set.
class stepped_clock final : public clock_port {
 public:
  time_point now() const override { return std::chrono::steady_clock::now(); }
  wall_time wall_now() const override {
    ++read_;
    return std::chrono::system_clock::now() + std::chrono::hours{hours_};
  }
  void step(int hours) { hours_ += hours; }
  std::uint64_t read() const { return read_; }

 private:
  std::atomic<int> hours_{0};
  mutable std::atomic<std::uint64_t> read_{0};
};

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_44_steps_of_the_wall_clock_evict_and_time_out_nothing) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  all.pool.max_idle_time = 600s;
  all.pool.max_lifetime = 1800s;
  const auto clock = std::make_shared<stepped_clock>();
  replaced_parts with;
  with.ports = [clock](environment& env) { env.clock = clock; };
  bare_runtime it(all, with);
  BOOST_TEST_REQUIRE(it.connect());
  BOOST_TEST_REQUIRE(eventually([&] { return server_in(it.snapshot(), a.port()).pool.now.size >= 3u; }));
  const auto before = it.snapshot();
  const auto connections = a.connections();
  {
    background_load reads(it, 8);
    for (const int hours : {1, -1, -1, 1, 24, -24}) {
      // Under way while the clock is set: its deadline is neither reached nor put off.
      a.disturb(operation::compare, {.delay = 300ms}, 1);
      auto slow = it.async_compare({user_dn(1), "sn", "x"}, {20s});
      a.disturb(operation::modify, {.silent = true}, 1);
      auto mute = it.async_modify(replace_description(user_dn(1), "x"), {500ms});
      clock->step(hours);
      const auto so_far = reads.succeeded();
      BOOST_TEST(eventually([&] { return reads.succeeded() > so_far + 100; }));
      const auto slow_outcome = slow.get();
      BOOST_TEST(static_cast<bool>(slow_outcome), why(slow_outcome));
      BOOST_TEST((mute.wait_for(20s) == std::future_status::ready));
      // Sent in time or not: on a slow machine not.
      const auto code = mute.get().code();
      BOOST_TEST((code == errc::outcome_unknown || code == errc::operation_timeout), to_string(code));
    }
    BOOST_TEST(reads.finish());
    BOOST_TEST(reads.failures().empty(), reads.example());
  }
  const auto after = it.snapshot();
  for (const auto* server : {&a, &b}) {
    const auto& now = server_in(after, server->port());
    BOOST_TEST(now.pool.closed == server_in(before, server->port()).pool.closed);
    BOOST_TEST(now.pool.connect_failures == 0u);
    BOOST_TEST(now.breaker_opened == 0u);
  }
  // A slow machine may have made it open one more; none was closed.
  BOOST_TEST(a.connections() >= connections);
  end_scenario(it, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_44_breaker_and_credentials_wait_by_the_monotonic_clock) {
  leak_guard leaks;
  stub_options with_password;
  with_password.passwords = {{admin_dn, "another"}};
  stub_directory a(with_password);
  auto all = quick_settings({server_at(a.port())});
  all.recovery.credential_retry = 900s;
  const auto clock = std::make_shared<stepped_clock>();
  replaced_parts with;
  with.ports = [clock](environment& env) { env.clock = clock; };
  bare_runtime it(all, with);
  const auto first = it.try_search(search_for("(uid=user1)"), {10s});
  BOOST_TEST(first.code() == errc::service_authentication_failed, why(first));
  BOOST_TEST(clock->read() > 0u);
  const auto binds = a.binds().size();
  BOOST_TEST(binds == 1u);
  for (const int hours : {1, -2, 1}) {
    clock->step(hours);
    const auto again = it.try_search(search_for("(uid=user1)"), {2s});
    BOOST_TEST(!again);
    BOOST_TEST(holds_for([&] { return a.binds().size() == binds; }, 300ms));
  }
  BOOST_TEST(it.get().stop(5s));
}
