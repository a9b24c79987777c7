// Times of directories: every form that RFC 4517 allows, and nothing else.
#include "understudy/messages/generalized_time.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

using namespace understudy;
using understudy::internal::generalized_time;

BOOST_AUTO_TEST_CASE(generalized_time_is_read_in_every_form) {
  using namespace std::chrono;
  const wall_time noon = sys_days{year{2026} / 5 / 17} + hours{12};
  BOOST_TEST((generalized_time("20260517120000Z") == noon));
  BOOST_TEST((generalized_time("20260517120000.0Z") == noon));  // as Active Directory has it
  BOOST_TEST((generalized_time("202605171200Z") == noon));
  BOOST_TEST((generalized_time("2026051712Z") == noon));
  BOOST_TEST((generalized_time("20260517140000+0200") == noon));
  BOOST_TEST((generalized_time("20260517063000-0530") == noon));
  BOOST_TEST((generalized_time("2026051711,5Z") == noon - minutes{30}));
  BOOST_TEST((generalized_time("20260517120000.25Z") == noon + milliseconds{250}));
  BOOST_TEST((generalized_time("20260517120000.1234567890123456789Z") == noon + microseconds{123456}));
}

BOOST_AUTO_TEST_CASE(generalized_time_refuses_what_is_none) {
  for (const std::string text :
       {"", "Z", "2026", "20260517", "20260517120000", "20261317120000Z", "20260230120000Z", "20260517240000Z",
        "20260517126000Z", "20260517120061Z", "20260517120000.Z", "20260517120000+", "20260517120000+2400",
        "20260517120000Zx", "20260517120000+020", "2026051712000Z", "-0260517120000Z", "20260517120000.5"})
    BOOST_TEST(!generalized_time(text), text);
}
