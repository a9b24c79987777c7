// Nobody gives way to a thread that takes a whole time slice for it, except to find out whether it still does.
#include "understudy/runtime/platform/yield_limiter.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(who_gives_way_cheaply_may_do_so_again) {
  yield_limiter it;
  const time_point now{1h};
  BOOST_TEST(it.may_yield(now));
  BOOST_TEST(it.yielded(300us, now));
  BOOST_TEST(it.may_yield(now));
}

BOOST_AUTO_TEST_CASE(who_gave_a_slice_away_sleeps_for_longer_each_time) {
  yield_limiter it;
  time_point now{1h};
  auto pause = yield_limiter::shortest_pause;
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(!it.yielded(4ms, now));
    BOOST_TEST(!it.may_yield(now + pause - 1us));
    BOOST_TEST(it.may_yield(now + pause));
    now += pause;
    pause = std::min(2 * pause, duration{yield_limiter::longest_pause});
  }
}

BOOST_AUTO_TEST_CASE(once_it_is_cheap_again_nothing_is_held_against_it) {
  yield_limiter it;
  time_point now{1h};
  for (int i = 0; i < 5; ++i, now += yield_limiter::longest_pause) it.yielded(4ms, now);
  BOOST_TEST(it.yielded(2us, now));
  BOOST_TEST(!it.yielded(4ms, now));
  BOOST_TEST(it.may_yield(now + yield_limiter::shortest_pause));
}
