// What a server usually takes, by which its silence is judged.
#pragma once
#include "scenarios/scenario.hpp"
#include "support/stall_watch.hpp"

#include <boost/test/unit_test.hpp>

namespace understudy::test {

/// Waits until the monitor has asked a server so often that what it took before hardly counts in what it is believed to
/// take: each answer counts as much as all before it. What `watch` shows afterwards has nothing to do with what the
/// machine did before.
inline void await_usual_pace(const stub_directory& server, stopwatch& watch) {
  watch.learn();
  const auto enough = server.count(operation::search) + 5;
  BOOST_TEST_REQUIRE(eventually([&] { return server.count(operation::search) >= enough; }));
}

}  // namespace understudy::test
