// How often a line passes that could be written without end.
#include "understudy/actors/ports/repeat_limiter.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(the_first_passes_and_then_one_in_each_pause_which_tells_how_many_did_not) {
  repeat_limiter lines{60s};
  const time_point begin{};
  BOOST_TEST((lines.pass(begin) == 0U));
  BOOST_TEST(!lines.pass(begin).has_value());
  BOOST_TEST(!lines.pass(begin + 59'999ms).has_value());
  BOOST_TEST((lines.pass(begin + 60s) == 2U));
  BOOST_TEST(!lines.pass(begin + 61s).has_value());
  BOOST_TEST((lines.pass(begin + 120s) == 1U));
  BOOST_TEST((lines.pass(begin + 1h) == 0U), "what was told is not told again");
}
