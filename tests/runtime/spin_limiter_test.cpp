// Who waits for an answer looks for it as long as that pays, and not everybody does.
#include "runtime/process_counts.hpp"
#include "support/eventually.hpp"
#include "understudy/runtime/client/reply_waiter.hpp"

#include <unistd.h>
#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

namespace {

void make_it_pay(spin_limiter& it) {
  for (int i = 0; i < 10; ++i) it.slept(20us);
}

/// A microsecond passes each time that somebody looks at it.
auto ticking() {
  return [now = time_point{1h}]() mutable { return now += 1us; };
}

/// How often one who looks asks, with so many looking already.
int asked_behind(spin_limiter& it, int others) {
  int asked = 0;
  if (others == 0) {
    it.look([&] { return ++asked < 0; }, ticking());
    return asked;
  }
  it.look(
      [&] {
        asked = asked_behind(it, others - 1);
        return true;
      },
      ticking());
  return asked;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_caller_gives_way_once_and_asks_before_it_sleeps) {
  spin_limiter it;
  BOOST_TEST(asked_behind(it, 0) == 1);
  BOOST_TEST(it.look([] { return true; }, ticking()));
}

BOOST_AUTO_TEST_CASE(a_caller_looks_where_answers_were_quick_until_its_time_is_over) {
  spin_limiter it;
  make_it_pay(it);
  BOOST_TEST((it.length() == adaptive_spin::longest));
  BOOST_TEST(asked_behind(it, 0) > 1);
  for (int i = 0; i < 10; ++i) it.slept(1ms);
  BOOST_TEST((it.length() == duration::zero()));
  BOOST_TEST(asked_behind(it, 0) == 1);
}

BOOST_AUTO_TEST_CASE(who_would_give_a_time_slice_away_sleeps_at_once) {
  spin_limiter it;
  make_it_pay(it);
  // A thread on the same processor takes four milliseconds each time that somebody gives way.
  const auto crowded = [now = time_point{1h}]() mutable { return now += 4ms; };
  int asked = 0;
  it.look([&] { return ++asked < 0; }, crowded);
  BOOST_TEST(asked == 1, "it gave way once and sleeps");
  int clock_read = 0;
  it.look([&] { return ++asked < 0; },
          [&, now = time_point{1h}]() mutable {
            ++clock_read;
            return now += 1us;
          });
  BOOST_TEST(asked == 2);
  BOOST_TEST(clock_read == 1, "nobody gives way now");
}

BOOST_AUTO_TEST_CASE(no_more_look_at_once_than_there_are_places) {
  spin_limiter it;
  make_it_pay(it);
  BOOST_TEST(asked_behind(it, spin_limiter::most - 1) > 1);
  BOOST_TEST(asked_behind(it, spin_limiter::most) == 1);
  BOOST_TEST(asked_behind(it, 0) > 1);
}

/// The runtime was stopped just as long, and goes on only now.
BOOST_AUTO_TEST_CASE(who_slept_in_a_process_that_stood_still_gives_the_runtime_its_time) {
  // In which wait the process stands still for an hour: until the deadline, or in any part of the time after it.
  for (int stopped = 0; stopped <= grace_parts; ++stopped) {
    duration slept{}, ran{};
    int waits = 0;
    const auto got = wait_out(5s, [&](duration most) {
      const bool still = waits++ == stopped;
      slept += still ? duration{1h} : most;
      ran += still ? duration::zero() : most;
      // The answer takes the runtime most of a second, once the deadline has passed on the clock.
      return slept > 5s && ran >= (stopped == 0 ? 900ms : 5900ms) ? std::optional{1} : std::nullopt;
    });
    BOOST_TEST(got.has_value(), stopped);
  }
}

BOOST_AUTO_TEST_CASE(an_answer_that_does_not_come_is_waited_for_no_longer_than_the_grace) {
  duration in_all{};
  BOOST_TEST(!wait_out(5s, [&](duration most) -> std::optional<int> {
    in_all += most;
    return std::nullopt;
  }));
  BOOST_TEST((in_all == 5s + waiting_grace));
}

BOOST_AUTO_TEST_CASE(a_value_is_found_by_who_looks_and_wakes_who_sleeps) {
  spin_limiter it;
  reply_waiter<int> here;
  here.set(1);
  BOOST_TEST(here.wait_out(1h, it).value_or(0) == 1);
  reply_waiter<int> later;
  const auto waiting = ::gettid();
  std::thread other([&] {
    BOOST_TEST(test::eventually([&] { return test::sleeps(waiting); }));
    later.set(2);
  });
  BOOST_TEST(later.wait_out(1h, it).value_or(0) == 2);
  other.join();
  reply_waiter<int> never;
  BOOST_TEST(!never.wait(1ms));
}
