// A thread that looks at something now and then, and its end where that may not be waited for.
#include "understudy/runtime/platform/periodic_thread.hpp"
#include "understudy/runtime/platform/callback_thread.hpp"

#include <boost/test/unit_test.hpp>

#include <future>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(a_look_that_needs_the_thread_that_ends_it_is_not_waited_for_there) {
  std::promise<void> begun, may_end;
  std::atomic<int> looks{0};
  periodic_thread watcher;
  watcher.start(1ms, [&, released = may_end.get_future().share()] {
    if (++looks == 1) begun.set_value();
    released.wait();
  });
  begun.get_future().wait();
  auto stopped = std::async(std::launch::async, [&] {
    const callback_thread completion{may_wait::for_nothing};
    watcher.stop();
  });
  BOOST_TEST((stopped.wait_for(30s) == std::future_status::ready));
  may_end.set_value();
  stopped.get();
  watcher.stop();
  BOOST_TEST(looks.load() == 1, "nothing is looked at after a stop");
}
