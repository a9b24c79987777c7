// A thread looks for what it waits for before it sleeps only where that pays.
#include "understudy/runtime/platform/adaptive_spin.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(nothing_is_burnt_before_it_is_known_to_pay) {
  const adaptive_spin window;
  BOOST_TEST((window.length() == duration::zero()));
}

BOOST_AUTO_TEST_CASE(quick_answers_widen_the_window_to_its_limit) {
  adaptive_spin window;
  window.slept(20us);
  BOOST_TEST((window.length() == 10us));
  for (int i = 0; i < 10; ++i) {
    const auto before = window.length();
    window.slept(20us);
    BOOST_TEST((window.length() >= before));
  }
  BOOST_TEST((window.length() == adaptive_spin::longest));
}

BOOST_AUTO_TEST_CASE(slow_answers_close_it_within_a_few_sleeps) {
  adaptive_spin window;
  for (int i = 0; i < 10; ++i) window.slept(20us);
  int sleeps = 0;
  for (; window.length() > duration::zero(); ++sleeps) window.slept(1ms);
  BOOST_TEST(sleeps <= 6);
  window.slept(1h);
  BOOST_TEST((window.length() == duration::zero()));
}

BOOST_AUTO_TEST_CASE(answers_as_slow_as_the_limit_are_slept_for) {
  adaptive_spin window;
  for (int i = 0; i < 10; ++i) window.slept(adaptive_spin::longest);
  BOOST_TEST((window.length() == duration::zero()));
}
