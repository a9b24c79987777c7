// Strangers that fall silent.
#include "scenarios/scenario.hpp"
#include "strangers/usual_pace.hpp"
#include "support/stall_watch.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(stranger_that_pauses_under_a_lease_costs_its_holder_a_second_and_a_half) {
  leak_guard leaks;
  stub_directory a, b;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  stopwatch asked;
  BOOST_TEST_REQUIRE(manager.connect().connected);
  {
    auto held = manager.get_connection();
    await_usual_pace(a, asked);
    a.pause();
    asked.restart();
    const auto lost = held.try_search(search_for("(uid=user1)"), {20s});
    BOOST_TEST((lost.code() == errc::connection_unhealthy), why(lost));
    const auto took = asked.elapsed();
    BOOST_TEST((took <= 1500ms), took / 1ms << " ms");
    const stopwatch streamed;
    std::size_t entries = 0;
    for ([[maybe_unused]] auto& one : manager.stream(search_for("(uid=user1)"))) ++entries;
    BOOST_TEST(entries == 1u);
    BOOST_TEST((streamed.elapsed() <= 300ms), "it is known by now");
  }
  a.resume();
  end_scenario(manager, {a, b});
}
