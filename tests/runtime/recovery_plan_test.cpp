// Requests are tried again after errors that may pass, a bounded number of times, within their deadline.
#include "understudy/runtime/recovery_plan.hpp"
#include "support/print.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace std::chrono_literals;

namespace {

failure failed_with(errc code) {
  failure f;
  f.code = code;
  return f;
}

}  // namespace

BOOST_AUTO_TEST_CASE(pauses_grow_up_to_the_recovery_delay_and_end) {
  recovery_plan plan{recovery_settings{}};
  const auto lost = failed_with(errc::connection_failed);
  BOOST_TEST((plan.next(lost, 30s) == 200ms));
  BOOST_TEST((plan.next(lost, 30s) == 1s));
  BOOST_TEST((plan.next(lost, 30s) == 5s));
  BOOST_TEST(!plan.next(lost, 30s));
}

BOOST_AUTO_TEST_CASE(nothing_is_tried_again_past_the_deadline) {
  recovery_plan plan{recovery_settings{}};
  BOOST_TEST(!plan.next(failed_with(errc::connection_timeout), 200ms));
}

BOOST_AUTO_TEST_CASE(only_errors_that_may_pass_are_tried_again) {
  for (int code = 0; code < static_cast<int>(errc_count); ++code) {
    recovery_plan plan{recovery_settings{}};
    const auto e = static_cast<errc>(code);
    const bool again = plan.next(failed_with(e), 30s).has_value();
    BOOST_TEST(again == (e == errc::connection_failed || e == errc::connection_timeout), e);
  }
}

BOOST_AUTO_TEST_CASE(nothing_is_tried_again_without_auto_recovery) {
  recovery_settings off;
  off.auto_recovery = false;
  BOOST_TEST(!recovery_plan{off}.next(failed_with(errc::connection_failed), 30s));
}
