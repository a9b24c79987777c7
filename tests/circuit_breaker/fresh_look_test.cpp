// When servers that failed are looked at anew, and how long that is waited for.
#include "understudy/actors/circuit_breaker/fresh_look.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

namespace {

constexpr time_point after(std::int64_t ms) { return time_point{} + seconds{100} + milliseconds{ms}; }

}  // namespace

BOOST_AUTO_TEST_CASE(a_look_ends_with_the_last_failed_probe_or_its_time) {
  fresh_look look;
  BOOST_TEST(!look.begin({}, seconds{1}, after(0)));
  BOOST_TEST(!look.under_way(after(0)));
  BOOST_TEST(look.begin({1, 2}, seconds{1}, after(0)));
  look.heard(3, false, after(1));
  look.heard(1, false, after(2));
  BOOST_TEST(look.under_way(after(2)));
  look.heard(2, false, after(3));
  BOOST_TEST(!look.under_way(after(3)));
  BOOST_TEST(look.begin({1}, seconds{1}, after(2000)));
  BOOST_TEST(look.under_way(after(2999)));
  BOOST_TEST(!look.under_way(after(3000)));
}

BOOST_AUTO_TEST_CASE(who_lives_is_given_more_time_once) {
  fresh_look look;
  BOOST_TEST(look.begin({1, 2}, seconds{1}, after(0)));
  look.heard(1, true, after(900));
  look.heard(1, true, after(1900));
  BOOST_TEST(look.under_way(after(1999)));
  BOOST_TEST(!look.under_way(after(2000)));
}

BOOST_AUTO_TEST_CASE(there_is_one_look_a_second) {
  fresh_look look;
  BOOST_TEST(look.begin({1}, milliseconds{100}, after(0)));
  BOOST_TEST(!look.begin({1}, milliseconds{100}, after(999)));
  BOOST_TEST(look.begin({1}, milliseconds{100}, after(1000)));
}
