// When a server is probed next, on injected time.
#include "understudy/actors/health_monitor/probe_schedule.hpp"
#include "support/print.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

namespace {

const time_point start{std::chrono::hours{1}};

struct one_schedule {
  probe_schedule s{schedule_options{}, [] { return 0.5; }, start};
  time_point now = start;

  /// Milliseconds until the next probe.
  std::int64_t wait() const { return std::chrono::duration_cast<milliseconds>(s.next() - now).count(); }
  bool probe(bool alive, bool asked = false) {
    now = s.next();
    return s.on_result(alive, asked, now);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_first_probe_is_due_within_one_interval, one_schedule) {
  BOOST_TEST(wait() == 7500);
  for (const double r : {0.0, 0.999}) {
    probe_schedule other{schedule_options{}, [r] { return r; }, start};
    BOOST_TEST((other.next() >= start + seconds{5}));
    BOOST_TEST((other.next() <= start + seconds{10}));
  }
}

BOOST_FIXTURE_TEST_CASE(a_healthy_server_is_probed_at_the_interval, one_schedule) {
  BOOST_TEST(probe(true));
  BOOST_TEST(wait() == 10'000);
  BOOST_TEST(s.healthy());
}

BOOST_AUTO_TEST_CASE(intervals_are_jittered_by_a_tenth) {
  for (const auto& [random, expected] : {std::pair{0.0, 9000}, std::pair{0.99999, 10'999}}) {
    probe_schedule s{schedule_options{}, [r = random] { return r; }, start};
    s.on_result(true, false, start);
    BOOST_TEST(std::chrono::duration_cast<milliseconds>(s.next() - start).count() == expected);
  }
}

BOOST_FIXTURE_TEST_CASE(one_failed_probe_is_repeated_before_it_counts, one_schedule) {
  BOOST_TEST(!probe(false));
  BOOST_TEST(wait() == 1000);
  BOOST_TEST(!s.healthy());
  BOOST_TEST(probe(false));
}

BOOST_FIXTURE_TEST_CASE(a_good_probe_in_between_forgives, one_schedule) {
  BOOST_TEST(!probe(false));
  BOOST_TEST(probe(true));
  BOOST_TEST(!probe(false));
}

BOOST_FIXTURE_TEST_CASE(a_failed_probe_that_was_asked_for_counts_at_once, one_schedule) {
  BOOST_TEST(probe(false, true));
}

BOOST_FIXTURE_TEST_CASE(failing_probes_back_off_to_a_bounded_trickle, one_schedule) {
  std::vector<std::int64_t> waits;
  for (int i = 0; i < 7; ++i) {
    probe(false);
    waits.push_back(wait());
  }
  const std::vector<std::int64_t> expected{1000, 2000, 4000, 8000, 10'000, 10'000, 10'000};
  BOOST_TEST(waits == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(an_hour_of_outage_costs_a_few_hundred_probes, one_schedule) {
  s.on_breaker(breaker_state::open, now);
  int probes = 0;
  while (now < start + std::chrono::hours{1}) {
    probe(false);
    ++probes;
  }
  BOOST_TEST(probes < 400);
}

BOOST_FIXTURE_TEST_CASE(a_half_open_server_is_probed_at_once_and_quickly_again, one_schedule) {
  s.on_breaker(breaker_state::open, now);
  s.on_breaker(breaker_state::half_open, now);
  BOOST_TEST(wait() == 0);
  BOOST_TEST(probe(true));
  BOOST_TEST(wait() == 200);
  BOOST_TEST(!s.healthy());
  s.on_breaker(breaker_state::closed, now);
  BOOST_TEST(wait() == 10'000);
  BOOST_TEST(s.healthy());
}

BOOST_FIXTURE_TEST_CASE(every_failure_counts_while_the_breaker_is_not_closed, one_schedule) {
  s.on_breaker(breaker_state::half_open, now);
  BOOST_TEST(probe(false));
}

BOOST_FIXTURE_TEST_CASE(a_suspended_server_is_not_probed_until_resumed, one_schedule) {
  s.on_breaker(breaker_state::suspended, now);
  BOOST_TEST((s.next() == time_point::max()));
  s.on_result(true, false, now);
  s.hasten(now);
  BOOST_TEST((s.next() == time_point::max()));
  s.on_breaker(breaker_state::closed, now);
  BOOST_TEST(wait() == 10'000);
}

BOOST_FIXTURE_TEST_CASE(losing_the_standing_connection_hastens_the_next_probe, one_schedule) {
  probe(true);
  s.hasten(now);
  BOOST_TEST(wait() == 1000);
  now += milliseconds{900};
  s.hasten(now);
  BOOST_TEST(wait() == 100);
}

BOOST_FIXTURE_TEST_CASE(a_probe_that_says_nothing_is_repeated_at_the_usual_pace, one_schedule) {
  s.on_nothing(now);
  BOOST_TEST(wait() == 10'000);
  BOOST_TEST(s.healthy());
}

BOOST_AUTO_TEST_CASE(a_shorter_interval_counts_at_once_and_a_longer_one_after_the_next_probe) {
  const time_point now{std::chrono::hours{1}};
  schedule_options options;
  options.healthy = std::chrono::hours{24};
  probe_schedule schedule{options, make_random(3), now};
  BOOST_TEST((schedule.next() > now + std::chrono::hours{11}));
  options.healthy = seconds{10};
  schedule.configure(options, now);
  BOOST_TEST((schedule.next() <= now + seconds{10}));
  const auto due = schedule.next();
  options.healthy = std::chrono::hours{1};
  schedule.configure(options, now);
  BOOST_TEST((schedule.next() == due));
}
