// Callers try again after errors that may pass, a bounded number of times, within their deadline.
#include "understudy/runtime/client/recovery_plan.hpp"
#include "support/print.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

namespace {

failure failed_with(errc code, int ldap_code = 0) {
  failure f;
  f.code = code;
  f.ldap_code = ldap_code;
  return f;
}

recovery_settings how() {
  recovery_settings r;
  r.reconnect_attempts = 2;
  r.reconnect_delay = 3s;
  r.recovery_attempts = 3;
  r.recovery_delay = 7s;
  return r;
}

std::vector<int> pauses(recovery_plan plan, const failure& why) {
  std::vector<int> found;
  while (const auto pause = plan.next(why, 1h)) found.push_back(static_cast<int>(*pause / 1s));
  return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(lost_connections_are_waited_for_as_reconnect_says_and_refusals_as_recovery_says) {
  const std::vector<int> reconnect{3, 3}, recover{7, 7, 7}, none;
  for (int code = 0; code < static_cast<int>(errc_count); ++code) {
    const auto e = static_cast<errc>(code);
    const bool lost = e == errc::connection_failed || e == errc::connection_timeout;
    const auto& expected = lost ? reconnect : e == errc::breaker_open ? recover : none;
    BOOST_TEST((pauses(recovery_plan{how()}, failed_with(e)) == expected), e);
  }
  for (const int busy : {51, 52})
    BOOST_TEST((pauses(recovery_plan{how()}, failed_with(errc::ldap_error, busy)) == recover));
  BOOST_TEST((pauses(recovery_plan{how()}, failed_with(errc::ldap_error, 32)) == none));
}

BOOST_AUTO_TEST_CASE(the_first_failure_decides_which_of_the_two_it_is) {
  recovery_plan lost{how()};
  BOOST_TEST((lost.next(failed_with(errc::connection_failed), 1h) == 3s));
  BOOST_TEST((lost.next(failed_with(errc::breaker_open), 1h) == 3s));
  BOOST_TEST(!lost.next(failed_with(errc::breaker_open), 1h));
  recovery_plan refused{how()};
  BOOST_TEST((refused.next(failed_with(errc::breaker_open), 1h) == 7s));
  BOOST_TEST((refused.next(failed_with(errc::connection_failed), 1h) == 7s));
}

BOOST_AUTO_TEST_CASE(nothing_is_waited_for_that_comes_after_the_deadline) {
  recovery_plan plan{how()};
  BOOST_TEST(!plan.next(failed_with(errc::connection_timeout), 3s));
  BOOST_TEST((plan.next(failed_with(errc::connection_timeout), 3001ms) == 3s));
}

BOOST_AUTO_TEST_CASE(without_the_switches_nothing_is_tried_again) {
  auto off = how();
  off.auto_reconnect = false;
  BOOST_TEST(!recovery_plan{off}.next(failed_with(errc::connection_failed), 1h));
  off = how();
  off.auto_recovery = false;
  BOOST_TEST(!recovery_plan{off}.next(failed_with(errc::breaker_open), 1h));
  BOOST_TEST((recovery_plan{off}.next(failed_with(errc::connection_failed), 1h) == 3s));
}

BOOST_AUTO_TEST_CASE(the_last_word_says_what_was_waited_for) {
  recovery_plan plan{how()};
  const auto why = std::make_shared<const failure>(failed_with(errc::breaker_open));
  BOOST_TEST((plan.last_word(why, 0s) == why));
  plan.next(*why, 1h);
  BOOST_TEST(plan.last_word(why, 7040ms)->message == " (tried 1 more time within 7 s; recovery.recovery_attempts = 3)");
  plan.next(*why, 1h);
  BOOST_TEST(plan.last_word(why, 14550ms)->message ==
             " (tried 2 more times within 14.5 s; recovery.recovery_attempts = 3)");
  BOOST_TEST((plan.last_word(why, 0s)->code == errc::breaker_open));
}

BOOST_AUTO_TEST_CASE(connect_makes_its_attempts_with_a_pause_in_between) {
  auto r = how();
  const auto why = failed_with(errc::connection_failed);
  for (const int attempts : {0, 1, 3}) {
    r.reconnect_attempts = attempts;
    connect_plan plan{r};
    for (int i = 1; i < attempts; ++i) BOOST_TEST((plan.next(why, 1h) == 3s));
    BOOST_TEST(!plan.next(why, 1h), attempts);
  }
  BOOST_TEST(!connect_plan{r}.next(why, 3s), "past the deadline");
  BOOST_TEST(!connect_plan{r}.next(failed_with(errc::service_authentication_failed), 1h));
  r.auto_reconnect = false;
  BOOST_TEST(!connect_plan{r}.next(why, 1h));
}
