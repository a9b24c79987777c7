// A thread that waits for its own answer runs the runtime's actors meanwhile, but nobody's completion.
#include "support/eventually.hpp"
#include "support/free_port.hpp"
#include "support/stub_directory.hpp"
#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/runtime/platform/poller_scheduler.hpp"
#include "understudy/runtime/runtime.hpp"

#include <boost/test/unit_test.hpp>
#include <set>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

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
      const std::lock_guard lock(guard);  // held by the thread that waits below, which must not come here
      told_on.insert(std::this_thread::get_id());
      ++told;
    });
    BOOST_TEST_REQUIRE(static_cast<bool>(manager.try_search({})));
  }
  BOOST_TEST(eventually([&] { return told == rounds; }));
  BOOST_TEST(told_on.count(std::this_thread::get_id()) == 0u);
}

BOOST_AUTO_TEST_CASE(a_lent_thread_gives_a_completion_of_others_to_the_runtimes_own) {
  settings all;
  all.servers.emplace_back();
  all.servers.front().host = "127.0.0.1";
  all.servers.front().port = free_port();  // nobody is there: what is asked is refused at once, in the turns below
  all.servers.front().max_retries = 0;
  all.breaker.circuit_breaker_threshold = 1;
  all.breaker.open_base = all.breaker.open_cap = 600s;
  all.recovery.auto_recovery = false;
  runtime it(std::make_shared<const settings>(all));
  BOOST_TEST_REQUIRE(eventually([&] {
    const auto refused = it.client().perform(make_request(search_request{}), {});
    return refused.code() == errc::breaker_open;
  }));
  std::atomic<int> told{0}, told_here{0};
  const auto me = std::this_thread::get_id();
  constexpr int rounds = 200;
  for (int i = 0; i < rounds; ++i) {
    it.env()->poller->run_inline([&] {
      const auto note = [&](const outcome&) {
        if (std::this_thread::get_id() == me) ++told_here;
        ++told;
      };
      it.client().start(make_request(search_request{}), note, {}, {});
    });
    BOOST_TEST_REQUIRE(eventually([&] { return told == i + 1; }));
  }
  BOOST_TEST(told_here == 0);
}
