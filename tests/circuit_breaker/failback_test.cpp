// Hold-down and ramp of a server that recovered.
#include "understudy/actors/circuit_breaker/failback.hpp"
#include "moments.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

double share_at(const failback& f, std::int64_t ms) { return f.share(failback_options{}, at(ms).now); }

}  // namespace

BOOST_AUTO_TEST_CASE(a_server_that_never_fell_has_its_whole_share) { BOOST_TEST(share_at(failback{}, 0) == 1.0); }

BOOST_AUTO_TEST_CASE(a_recovered_server_is_held_down_then_ramps_up) {
  failback f;
  f.recovered(failback_options{}, 1, true, at(0).now);
  BOOST_TEST(share_at(f, 0) == 0.0);
  BOOST_TEST(share_at(f, 9999) == 0.0);
  BOOST_TEST(share_at(f, 10'000) == 0.1, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(share_at(f, 15'000) == 0.55, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(share_at(f, 20'000) == 1.0);
}

BOOST_AUTO_TEST_CASE(flapping_doubles_the_hold_down_up_to_its_cap) {
  failback f;
  f.recovered(failback_options{}, 3, true, at(0).now);
  BOOST_TEST(share_at(f, 39'999) == 0.0);
  BOOST_TEST(share_at(f, 40'000) > 0.0);
  f.recovered(failback_options{}, 100, true, at(0).now);
  BOOST_TEST(share_at(f, 299'999) == 0.0);
  BOOST_TEST(share_at(f, 300'000) > 0.0);
}

BOOST_AUTO_TEST_CASE(without_hold_down_and_ramp_it_is_back_at_once) {
  failback_options o;
  o.hold_down = o.ramp = duration{};
  failback f;
  f.recovered(o, 1, true, at(0).now);
  BOOST_TEST(f.share(o, at(0).now) == 1.0);
}

BOOST_AUTO_TEST_CASE(falling_again_ends_the_ramp) {
  failback f;
  f.recovered(failback_options{}, 1, true, at(0).now);
  f.fell();
  BOOST_TEST(share_at(f, 1) == 1.0);
}

BOOST_AUTO_TEST_CASE(where_nothing_serves_in_its_place_it_takes_all_at_once) {
  failback f;
  f.recovered(failback_options{}, 3, false, at(0).now);
  BOOST_TEST(share_at(f, 0) == 1.0);
  BOOST_TEST((f.held_until() == time_point::min()));
  f.fell();
  f.recovered(failback_options{}, 1, true, at(0).now);
  BOOST_TEST(share_at(f, 5000) == 0.0);
  f.take_over();
  BOOST_TEST(share_at(f, 5000) == 1.0);
}

BOOST_AUTO_TEST_CASE(other_options_shorten_a_hold_down_that_has_begun_and_lengthen_none) {
  failback_options slow;
  slow.hold_down = std::chrono::hours{24};
  failback f;
  f.configure(failback_options{});
  BOOST_TEST(f.settled(at(0).now), "it never fell");
  f.recovered(slow, 2, true, at(0).now);
  f.configure(failback_options{});
  BOOST_TEST((f.held_until() == at(20'000).now), "twice as long for the second flap");
  BOOST_TEST(!f.settled(at(29'999).now));
  BOOST_TEST(f.settled(at(30'000).now));
  f.configure(slow);
  BOOST_TEST((f.held_until() == at(20'000).now));
  BOOST_TEST(f.settled(at(30'000).now));
  // What was not held down is not for that, and what is down stays so.
  f.recovered(slow, 1, false, at(0).now);
  f.configure(failback_options{});
  BOOST_TEST((f.held_until() == time_point::min()));
  f.fell();
  f.configure(failback_options{});
  BOOST_TEST(!f.settled(at(1'000'000).now));
}

BOOST_AUTO_TEST_CASE(it_is_settled_when_hold_down_and_ramp_would_be_over) {
  failback f;
  BOOST_TEST(f.settled(at(0).now), "it never fell");
  for (const bool replaced : {true, false}) {
    f.fell();
    BOOST_TEST(!f.settled(at(1'000'000).now));
    f.recovered(failback_options{}, 2, replaced, at(0).now);
    BOOST_TEST(!f.settled(at(29'999).now));
    BOOST_TEST(f.settled(at(30'000).now));
  }
}
