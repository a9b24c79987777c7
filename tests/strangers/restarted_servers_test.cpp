// Strangers that are restarted one after the other.
#include "scenarios/scenario.hpp"
#include "support/stall_watch.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// The preferred server went and is up again, and nobody has looked at it since: what is known of it is old.
struct up_again {
  up_again() : manager(patient()) {
    BOOST_TEST_REQUIRE(manager.connect().connected);
    a.stop();
    BOOST_TEST_REQUIRE(eventually([&] {
      const auto found = manager.try_search(search_for("(uid=user1)"), {2s});
      return found && found->server == name_of(b.port());
    }));
    BOOST_TEST_REQUIRE(eventually([&] { return until_retry().has_value(); }));
    const auto at_first = *until_retry();
    // Old is what is a second old.
    BOOST_TEST_REQUIRE(eventually([&] { return until_retry().value_or(at_first) < at_first - 1s; }));
    a.start();
  }
  std::optional<milliseconds> until_retry() const { return server_in(manager.snapshot(), a.port()).retry_after; }
  /// No server is probed by itself.
  settings patient() const {
    auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
    all.breaker.open_base = all.breaker.open_cap = 30s;
    all.failover.health_check_interval = 30s;
    return all;
  }

  leak_guard leaks;
  stub_directory a, b;
  connection_manager manager;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(stranger_that_is_up_again_serves_when_the_last_one_is_stopped, up_again) {
  b.stop();
  // Too little time for recovery.recovery_delay.
  const auto found = manager.try_search(search_for("(uid=user1)"), {2s});
  BOOST_TEST_REQUIRE(static_cast<bool>(found), why(found));
  BOOST_TEST(found->server == name_of(a.port()));
  b.start();
  end_scenario(manager, {a});
}

BOOST_FIXTURE_TEST_CASE(stranger_that_is_up_again_serves_when_the_last_one_hangs, up_again) {
  b.pause();
  // The silence, and half a second; not the time of a server that nothing can replace.
  const stopwatch watch;
  const auto found = manager.try_search(search_for("(uid=user1)"), {4s});
  const auto took = watch.elapsed();
  BOOST_TEST_REQUIRE(static_cast<bool>(found), why(found));
  BOOST_TEST(found->server == name_of(a.port()));
  BOOST_TEST((took <= 1500ms), took / 1ms << " ms");
  b.resume();
  end_scenario(manager, {a, b});
}
