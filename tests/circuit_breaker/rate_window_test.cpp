// The sliding window of outcomes.
#include "moments.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

BOOST_AUTO_TEST_CASE(rate_needs_the_minimum_of_calls) {
  rate_window w{seconds{10}};
  w.add(0, 19, at(0).now);
  BOOST_TEST(!w.failing(20, 50, at(0).now));
  w.add(0, 1, at(1).now);
  BOOST_TEST(w.failing(20, 50, at(1).now));
}

BOOST_AUTO_TEST_CASE(rate_is_met_at_exactly_the_percentage) {
  rate_window w{seconds{10}};
  w.add(11, 9, at(0).now);
  BOOST_TEST(!w.failing(20, 50, at(0).now));
  w.add(0, 2, at(0).now);
  BOOST_TEST(w.failing(20, 50, at(0).now));
}

BOOST_AUTO_TEST_CASE(outcomes_leave_the_window_with_time) {
  rate_window w{seconds{10}};
  w.add(0, 20, at(0).now);
  BOOST_TEST(w.failing(20, 50, at(9000).now));
  BOOST_TEST(!w.failing(20, 50, at(10000).now));
}

BOOST_AUTO_TEST_CASE(a_slice_is_reused_after_a_whole_window) {
  rate_window w{seconds{10}};
  w.add(0, 20, at(0).now);
  w.add(20, 0, at(10000).now);
  BOOST_TEST(!w.failing(20, 1, at(10000).now));
}

BOOST_AUTO_TEST_CASE(a_cleared_window_knows_nothing) {
  rate_window w{seconds{10}};
  w.add(0, 100, at(0).now);
  w.clear();
  BOOST_TEST(!w.failing(1, 1, at(0).now));
}
