// A thread that waits for its own answer runs the runtime's actors meanwhile, but nobody's completion.
#include "support/eventually.hpp"
#include "support/stub_directory.hpp"
#include "understudy/runtime/connection_manager.hpp"

#include <boost/test/unit_test.hpp>
#include <set>
#include <thread>

using namespace understudy;
using namespace understudy::test;

BOOST_AUTO_TEST_CASE(a_blocked_caller_runs_no_completion_of_others) {
  stub_directory server;
  connection_info info;
  info.host = "127.0.0.1";
  info.port = server.port();
  connection_manager manager(info);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  std::mutex guard;
  std::set<std::thread::id> told_on;
  std::atomic<int> told{0};
  constexpr int rounds = 500;
  for (int i = 0; i < rounds; ++i) {
    manager.start(make_request(search_request{}), [&](const outcome&) {
      const std::lock_guard lock(guard);  // held by whoever waits below: his thread must not come here
      told_on.insert(std::this_thread::get_id());
      ++told;
    });
    BOOST_TEST_REQUIRE(static_cast<bool>(manager.try_search({})));
  }
  BOOST_TEST(eventually([&] { return told == rounds; }));
  BOOST_TEST(told_on.count(std::this_thread::get_id()) == 0u);
}
