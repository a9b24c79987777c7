// The state machine of one server's breaker.
#include "moments.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

struct one_breaker {
  breaker b{breaker_options{}, no_jitter()};

  void fail(int times, const moment& when, failure_class kind = failure_class::transport) {
    for (int i = 0; i < times; ++i) b.on_report(failed(b.generation(), kind), when);
  }
  void open(const moment& when) {
    fail(5, when);
    BOOST_REQUIRE_EQUAL(b.state(), breaker_state::open);
  }
  /// Open at `ms`, half open a second later.
  void half_open(std::int64_t ms) {
    open(at(ms));
    b.advance(at(ms + 1000));
    BOOST_REQUIRE_EQUAL(b.state(), breaker_state::half_open);
  }
  /// Opens and closes again `times` times, each time after its whole backoff; the time after that.
  std::int64_t flap(int times, std::int64_t ms) {
    for (int i = 0; i < times; ++i) {
      open(at(ms));
      ms += std::chrono::duration_cast<milliseconds>(b.next_event() - at(ms).now).count();
      b.advance(at(ms));
      b.on_probe(probed(true), at(ms), false);
      b.on_probe(probed(true), at(ms), false);
      BOOST_REQUIRE_EQUAL(b.state(), breaker_state::closed);
    }
    return ms;
  }
};

/// Of a pool: its first connection is ready.
outcome_report answered() {
  outcome_report r;
  r.answered = true;
  return r;
}

/// A probe that was given `time`, and got no answer.
probe_report timed_out_probe(duration time) {
  failure f;
  f.code = errc::connection_timeout;
  f.where = stage::bind;
  auto r = probed(false);
  r.error = std::make_shared<const failure>(f);
  r.took = time;
  return r;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(opens_after_five_failures_in_a_row, one_breaker) {
  fail(4, at(0));
  BOOST_TEST(b.state() == breaker_state::closed);
  fail(1, at(0));
  BOOST_TEST(b.state() == breaker_state::open);
  BOOST_TEST(b.opened() == 1U);
  BOOST_TEST(!b.usable(at(1).now));
}

BOOST_FIXTURE_TEST_CASE(a_success_breaks_the_row, one_breaker) {
  fail(4, at(0));
  b.on_report(succeeded(b.generation()), at(1));
  fail(4, at(2));
  BOOST_TEST(b.state() == breaker_state::closed);
}

/// An answer proves life, whoever was answered: a probe, or the bind of a new connection.
BOOST_FIXTURE_TEST_CASE(a_good_probe_and_a_ready_connection_break_the_row_too, one_breaker) {
  b.set_probed(true);
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 4; ++i) b.on_report(failed(0), at(10 * round));
    BOOST_TEST(b.state() == breaker_state::closed);
    if (round % 2 == 0)
      b.on_probe(probed(true), at(10 * round), false);
    else
      b.on_report(ready(), at(10 * round));
  }
  for (int i = 0; i < 4; ++i) b.on_report(failed(0), at(60'000));
  BOOST_TEST(b.state() == breaker_state::closed);
  b.on_report(failed(0), at(60'000));
  BOOST_TEST(b.state() == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(successes_in_a_report_came_before_its_failure, one_breaker) {
  fail(4, at(0));
  auto both = failed(b.generation());
  both.successes = 3;
  b.on_report(both, at(1));
  BOOST_TEST(b.state() == breaker_state::closed);
  fail(4, at(2));
  BOOST_TEST(b.state() == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(every_class_that_speaks_against_the_server_counts, one_breaker) {
  fail(1, at(0), failure_class::transport);
  fail(1, at(0), failure_class::slow);
  fail(2, at(0), failure_class::overload);
  fail(1, at(0), failure_class::policy);
  BOOST_TEST(b.state() == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(a_hundred_answers_about_the_caller_leave_it_closed, one_breaker) {
  fail(100, at(0), failure_class::caller);
  fail(100, at(0), failure_class::credential);
  BOOST_TEST(b.state() == breaker_state::closed);
  BOOST_TEST(!b.cause().what);
}

BOOST_FIXTURE_TEST_CASE(failure_on_half_of_the_calls_opens_by_rate, one_breaker) {
  for (int i = 0; i < 19; ++i)
    b.on_report(i % 2 ? failed(b.generation(), failure_class::overload) : succeeded(b.generation()), at(i));
  BOOST_TEST(b.state() == breaker_state::closed);
  b.on_report(failed(b.generation(), failure_class::overload), at(19));
  BOOST_TEST(b.state() == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(results_of_an_earlier_generation_do_not_count, one_breaker) {
  const auto old = b.generation();
  half_open(0);
  b.on_probe(probed(true), at(1000), false);
  b.on_report(failed(old), at(1001));
  BOOST_TEST(b.state() == breaker_state::half_open);
  b.on_report(succeeded(old, 100), at(1001));
  BOOST_TEST(b.state() == breaker_state::half_open);
}

BOOST_FIXTURE_TEST_CASE(a_report_without_generation_counts_now, one_breaker) {
  for (int i = 0; i < 5; ++i) b.on_report(failed(0), at(0));
  BOOST_TEST(b.state() == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(stays_open_for_the_base_time_then_half_opens, one_breaker) {
  open(at(0));
  BOOST_TEST((b.next_event() == at(1000).now));
  BOOST_TEST(b.retry_after(at(400).now)->count() == 600);
  b.advance(at(999));
  BOOST_TEST(b.state() == breaker_state::open);
  b.advance(at(1000));
  BOOST_TEST(b.state() == breaker_state::half_open);
}

BOOST_AUTO_TEST_CASE(the_open_time_is_jittered_by_a_fifth) {
  for (const auto& [random, expected] : {std::pair{0.0, 800}, std::pair{0.5, 1000}, std::pair{0.999999, 1199}}) {
    breaker b{breaker_options{}, [r = random] { return r; }};
    for (int i = 0; i < 5; ++i) b.on_report(failed(0), at(0));
    const auto open_for = std::chrono::duration_cast<milliseconds>(b.next_event() - at(0).now);
    BOOST_TEST(open_for.count() == expected);
  }
}

BOOST_FIXTURE_TEST_CASE(the_open_time_doubles_up_to_its_cap, one_breaker) {
  open(at(0));
  std::int64_t now = 0;
  std::vector<std::int64_t> lengths;
  for (int i = 0; i < 9; ++i) {
    const auto length = std::chrono::duration_cast<milliseconds>(b.next_event() - at(now).now).count();
    lengths.push_back(length);
    now += length;
    b.advance(at(now));
    b.on_probe(probed(false), at(now), false);
  }
  const std::vector<std::int64_t> expected{1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
  BOOST_TEST(lengths == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(the_open_time_shrinks_with_time_in_health, one_breaker) {
  auto now = flap(3, 0);
  now += 120'000;  // forgets two doublings of three
  open(at(now));
  BOOST_TEST((b.next_event() - at(now).now == seconds{2}));
}

BOOST_FIXTURE_TEST_CASE(flaps_are_forgotten_with_time_in_health, one_breaker) {
  const auto now = flap(3, 0);
  BOOST_TEST(b.flaps(at(now).now) == 3);
  BOOST_TEST(b.flaps(at(now + 60'000).now) == 2);
  BOOST_TEST(b.flaps(at(now + 600'000).now) == 0);
}

BOOST_FIXTURE_TEST_CASE(failed_probes_while_half_open_are_no_flaps, one_breaker) {
  half_open(0);
  b.on_probe(probed(false), at(1000), false);
  b.advance(at(3000));
  b.on_probe(probed(false), at(3000), false);
  BOOST_TEST(b.opened() == 3U);
  BOOST_TEST(b.flaps(at(3000).now) == 1);
}

BOOST_FIXTURE_TEST_CASE(without_a_monitor_half_open_gives_few_permits_at_once, one_breaker) {
  half_open(0);
  const auto far = at(60'000).now;
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(b.usable(at(1000).now));
    BOOST_TEST(b.admit(at(1000).now, far));
  }
  BOOST_TEST(!b.usable(at(1000).now));
}

BOOST_FIXTURE_TEST_CASE(with_a_monitor_half_open_waits_for_a_good_probe, one_breaker) {
  b.set_probed(true);
  half_open(0);
  BOOST_TEST(!b.usable(at(1000).now));
  BOOST_TEST(b.health(at(1000).now) == server_state::down);
  b.on_probe(probed(true), at(1001), false);
  BOOST_TEST(b.usable(at(1001).now));
  BOOST_TEST(b.health(at(1001).now) == server_state::suspect);
}

BOOST_FIXTURE_TEST_CASE(permits_come_back_on_success_failure_and_cancel, one_breaker) {
  half_open(0);
  const auto far = at(60'000).now;
  for (int i = 0; i < 3; ++i) b.admit(at(1000).now, far);
  b.on_report(trial(succeeded(b.generation())), at(1001));
  BOOST_TEST(b.usable(at(1001).now));
  b.admit(at(1001).now, far);
  BOOST_TEST(!b.usable(at(1001).now));
  b.on_report(trial(failed(b.generation(), failure_class::caller)), at(1002));
  BOOST_TEST(b.usable(at(1002).now));
  b.admit(at(1002).now, far);
  b.give_permit_back();
  BOOST_TEST(b.usable(at(1002).now));
}

BOOST_FIXTURE_TEST_CASE(permits_expire, one_breaker) {
  half_open(0);
  for (int i = 0; i < 3; ++i) b.admit(at(1000).now, at(1500).now);
  BOOST_TEST(!b.usable(at(1499).now));
  BOOST_TEST(b.usable(at(1500).now));
  for (int i = 0; i < 3; ++i) b.admit(at(1500).now, at(60'000).now);
  BOOST_TEST(!b.usable(at(6499).now));
  BOOST_TEST(b.usable(at(6500).now));
}

BOOST_FIXTURE_TEST_CASE(an_outcome_that_comes_late_gives_only_its_own_permit_back, one_breaker) {
  half_open(0);
  BOOST_TEST(b.admit(at(1000).now, at(1500).now));  // its caller is impatient
  BOOST_TEST(b.admit(at(1000).now, at(9000).now));
  BOOST_TEST(b.admit(at(1000).now, at(9000).now));
  BOOST_TEST(!b.usable(at(1499).now));
  BOOST_TEST(b.usable(at(1500).now));
  BOOST_TEST(b.admit(at(1500).now, at(9000).now));
  auto late = trial(succeeded(b.generation()));
  late.successes = 0;
  b.on_report(late, at(1600));  // of the impatient one
  BOOST_TEST(!b.usable(at(1600).now));
  b.on_report(late, at(1700));
  BOOST_TEST(b.usable(at(1700).now));
}

BOOST_FIXTURE_TEST_CASE(a_failure_behind_the_success_that_closed_it_is_of_the_generation_before, one_breaker) {
  breaker_options strict;
  strict.threshold = 1;
  b.configure(strict);
  half_open(0);
  auto r = succeeded(b.generation(), 3);
  r.failed = failure_class::transport;
  b.on_report(r, at(1100));
  BOOST_TEST(b.state() == breaker_state::closed);
}

BOOST_FIXTURE_TEST_CASE(a_shorter_longest_backoff_counts_for_a_breaker_that_is_open, one_breaker) {
  breaker_options slow;
  slow.open_base = slow.open_cap = std::chrono::hours{1};
  b.configure(slow);
  open(at(0));
  BOOST_TEST((b.next_event() == at(3'600'000).now));
  auto quick = slow;
  quick.open_base = quick.open_cap = seconds{30};
  b.configure(quick);
  BOOST_TEST((b.next_event() == at(30'000).now));
  // A longer one does not.
  b.configure(slow);
  BOOST_TEST((b.next_event() == at(30'000).now));
  // Nor does either count for one that was suspended by hand.
  b.suspend(std::chrono::hours{1}, at(1000).now);
  b.configure(quick);
  BOOST_TEST((b.next_event() == at(3'601'000).now));
}

/// Others come before a silent server for `open_cap`: for the new one, as much as it is of a pause.
BOOST_FIXTURE_TEST_CASE(a_shorter_longest_backoff_counts_for_a_server_that_is_silent, one_breaker) {
  breaker_options slow;
  slow.open_cap = std::chrono::hours{1};
  auto quick = slow;
  quick.open_cap = seconds{30};
  outcome_report mute;
  mute.silent = true;
  for (const auto& be_silent :
       std::vector<std::function<void()>>{[&] { b.on_report(mute, at(0)); }, [&] { b.note_nothing_left(at(0).now); }}) {
    b.configure(slow);
    be_silent();
    BOOST_TEST(b.silent(at(3'599'999).now));
    b.configure(quick);
    BOOST_TEST(b.silent(at(29'999).now));
    BOOST_TEST(!b.silent(at(30'000).now));
    // A longer one neither lengthens it nor brings it back.
    b.configure(slow);
    BOOST_TEST(b.silent(at(29'999).now));
    BOOST_TEST(!b.silent(at(30'000).now));
    auto less = slow;
    less.open_cap = std::chrono::minutes{1};
    b.configure(less);
    BOOST_TEST(b.silent(at(29'999).now));
    // What has shown life since is not silent.
    b.on_probe(probed(true), at(10), false);
    b.configure(quick);
    BOOST_TEST(!b.silent(at(0).now));
  }
}

BOOST_FIXTURE_TEST_CASE(a_report_of_an_earlier_generation_gives_no_permit_back, one_breaker) {
  half_open(0);
  const auto old = b.generation();
  b.on_report(failed(old), at(1001));
  b.advance(at(3001));
  BOOST_REQUIRE_EQUAL(b.state(), breaker_state::half_open);
  for (int i = 0; i < 3; ++i) b.admit(at(3001).now, at(60'000).now);
  b.on_report(trial(succeeded(old)), at(3002));
  BOOST_TEST(!b.usable(at(3002).now));
}

BOOST_FIXTURE_TEST_CASE(three_good_trials_close_it, one_breaker) {
  half_open(0);
  b.on_report(trial(succeeded(b.generation(), 2)), at(1001));
  BOOST_TEST(b.state() == breaker_state::half_open);
  b.on_report(trial(succeeded(b.generation())), at(1002));
  BOOST_TEST(b.state() == breaker_state::closed);
}

BOOST_FIXTURE_TEST_CASE(two_good_probes_close_it, one_breaker) {
  b.set_probed(true);
  half_open(0);
  b.on_probe(probed(true), at(1001), false);
  BOOST_TEST(b.state() == breaker_state::half_open);
  b.on_probe(probed(true), at(1200), false);
  BOOST_TEST(b.state() == breaker_state::closed);
}

BOOST_FIXTURE_TEST_CASE(a_failed_trial_opens_it_for_twice_as_long, one_breaker) {
  half_open(0);
  b.on_report(trial(failed(b.generation())), at(1500));
  BOOST_TEST(b.state() == breaker_state::open);
  BOOST_TEST((b.next_event() == at(3500).now));
}

BOOST_FIXTURE_TEST_CASE(a_half_open_probe_that_hangs_opens_it_in_time, one_breaker) {
  b.set_probed(true);
  half_open(0);
  BOOST_REQUIRE((b.next_event() == at(13'000).now));
  b.advance(at(12'999));
  BOOST_TEST(b.state() == breaker_state::half_open);
  b.advance(at(13'000));
  BOOST_TEST(b.state() == breaker_state::open);
  BOOST_TEST(b.cause().what->message.find("did not come back") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(the_probe_of_a_server_that_is_usually_slow_has_longer, one_breaker) {
  b.set_probed(true);
  b.allow(seconds{8});
  b.suspect(at(0).now);
  BOOST_TEST(b.suspected(at(9'999).now));
  b.on_probe(probed(true), at(9'999), false);
  half_open(10'000);
  BOOST_TEST((b.next_event() == at(31'000).now));
  b.advance(at(30'999));
  BOOST_TEST(b.state() == breaker_state::half_open);
}

BOOST_FIXTURE_TEST_CASE(answers_after_a_suspicion_outweigh_its_probe, one_breaker) {
  b.set_probed(true);
  b.suspect(at(0).now);
  // Told up to a tenth of a second late: it may have been before.
  b.on_report(succeeded(b.generation()), at(100));
  b.on_probe(probed(false), at(120), false);
  BOOST_TEST(b.state() == breaker_state::open);
  b.advance(at(1200));
  for (int i = 0; i < 2; ++i) b.on_probe(probed(true), at(1300), false);
  BOOST_REQUIRE_EQUAL(b.state(), breaker_state::closed);
  b.suspect(at(2000).now);
  b.on_report(succeeded(b.generation()), at(2200));
  b.on_probe(probed(false), at(2450), false);
  BOOST_TEST(b.state() == breaker_state::closed);
}

/// A probe that began before the server was repaired runs out of time when a connection is served already.
BOOST_FIXTURE_TEST_CASE(a_probe_that_ran_out_of_time_is_overtaken_by_a_connection_that_became_ready, one_breaker) {
  b.set_probed(true);
  b.on_report(answered(), at(4'500));
  b.on_probe(timed_out_probe(seconds{1}), at(5'000), false);
  BOOST_TEST(b.state() == breaker_state::closed);
}

BOOST_FIXTURE_TEST_CASE(a_probe_that_was_refused_is_not_overtaken, one_breaker) {
  b.set_probed(true);
  auto refused = probed(false);
  refused.took = seconds{1};
  b.on_report(answered(), at(4'500));
  b.on_probe(refused, at(5'000), false);
  BOOST_TEST(b.state() == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(a_probe_that_began_after_the_answer_is_not_overtaken, one_breaker) {
  b.set_probed(true);
  b.on_report(answered(), at(4'500));
  b.on_probe(timed_out_probe(seconds{1}), at(5'500), false);
  BOOST_TEST(b.state() == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(a_suspicion_after_the_answer_counts_for_more_than_it, one_breaker) {
  b.set_probed(true);
  b.on_report(answered(), at(4'500));
  BOOST_TEST(b.suspect(at(4'600).now));
  b.on_probe(timed_out_probe(seconds{1}), at(5'000), false);
  BOOST_TEST(b.state() == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_nobody_waited_for_breaks_no_row, one_breaker) {
  fail(4, at(0));
  b.on_report(answered(), at(1));
  fail(1, at(2));
  BOOST_TEST(b.state() == breaker_state::open);
}

BOOST_FIXTURE_TEST_CASE(suspicion_asks_for_one_probe_at_a_time, one_breaker) {
  b.set_probed(true);
  BOOST_TEST(b.suspect(at(0).now));
  BOOST_TEST(b.health(at(0).now) == server_state::suspect);
  BOOST_TEST(!b.suspect(at(100).now));
  b.on_probe(probed(true), at(200), false);
  BOOST_TEST(b.health(at(200).now) == server_state::healthy);
  BOOST_TEST(b.suspect(at(300).now));
  BOOST_TEST(!b.suspect(at(2299).now));
  BOOST_TEST(b.suspect(at(2300).now));
}

BOOST_FIXTURE_TEST_CASE(suspicion_and_one_failed_probe_open_it, one_breaker) {
  b.set_probed(true);
  b.on_report(succeeded(b.generation()), at(0));
  b.suspect(at(10).now);
  b.on_probe(probed(false), at(300), false);
  BOOST_TEST(b.state() == breaker_state::open);
  BOOST_TEST(b.cause().what->message == "probe refused");
  BOOST_TEST((b.cause().at == at(300).wall));
}

BOOST_FIXTURE_TEST_CASE(flowing_traffic_outweighs_a_failed_probe_that_nobody_asked_for, one_breaker) {
  b.on_report(succeeded(b.generation()), at(0));
  b.on_probe(probed(false), at(500), false);
  BOOST_TEST(b.state() == breaker_state::closed);
  b.on_probe(probed(false), at(1500), false);
  BOOST_TEST(b.state() == breaker_state::open);
}

/// What was answered a moment ago is no request for data, or that would not be in doubt.
BOOST_FIXTURE_TEST_CASE(answers_to_other_things_do_not_outweigh_a_probe_that_asked_for_data, one_breaker) {
  for (const bool answers_others : {false, true}) {
    breaker closed{breaker_options{}, no_jitter()};
    closed.on_report(succeeded(1), at(0));
    auto found = probed(false);
    found.answers_others = answers_others;
    closed.on_probe(found, at(10), false);
    BOOST_TEST((closed.state() == breaker_state::open) == answers_others);
  }
}

BOOST_FIXTURE_TEST_CASE(a_good_probe_ends_the_silence_of_a_server, one_breaker) {
  outcome_report mute;
  mute.silent = true;
  b.on_report(mute, at(0));
  BOOST_TEST_REQUIRE(b.silent(at(0).now));
  b.on_probe(probed(true), at(10), false);
  BOOST_TEST(!b.silent(at(10).now));
}

BOOST_FIXTURE_TEST_CASE(a_probe_whose_credentials_were_refused_found_the_server_alive, one_breaker) {
  b.set_probed(true);
  b.suspect(at(0).now);
  failure f;
  f.code = errc::service_authentication_failed;
  f.where = stage::bind;
  f.ldap_code = result_code::invalid_credentials;
  auto report = probed(false);
  report.error = std::make_shared<const failure>(f);
  b.on_probe(report, at(100), false);
  BOOST_TEST(b.health(at(100).now) == server_state::healthy);
}

BOOST_FIXTURE_TEST_CASE(a_probe_that_failed_for_a_reason_of_ours_says_nothing, one_breaker) {
  b.set_probed(true);
  half_open(0);
  failure f;
  f.code = errc::internal;
  auto report = probed(false);
  report.error = std::make_shared<const failure>(f);
  b.on_probe(report, at(1100), false);
  BOOST_TEST(b.state() == breaker_state::half_open);
  BOOST_TEST(!b.usable(at(1100).now));
}

BOOST_FIXTURE_TEST_CASE(an_open_breaker_sits_its_time_out_unless_nothing_else_serves, one_breaker) {
  open(at(0));
  b.on_probe(probed(true), at(100), false);
  BOOST_TEST(b.state() == breaker_state::open);
  b.on_probe(probed(true), at(200), true);
  BOOST_TEST(b.state() == breaker_state::half_open);
  BOOST_TEST(b.usable(at(200).now));
}

BOOST_FIXTURE_TEST_CASE(requests_lost_in_a_row_open_it_though_set_ups_and_probes_succeed_between_them, one_breaker) {
  const auto lose = [&](std::int64_t ms) {
    auto report = failed(b.generation());
    report.open_since = at(ms - 10).now;
    b.on_report(report, at(ms));
  };
  for (int i = 0; i < 4; ++i) lose(i * 100);
  b.on_report(succeeded(b.generation()), at(400));  // a request was answered
  for (int i = 5; i < 9; ++i) {
    lose(i * 100);
    b.on_report(ready(), at(i * 100 + 10));
    b.on_probe(probed(true), at(i * 100 + 20), false);
    BOOST_TEST(b.state() == breaker_state::closed);
  }
  lose(900);
  BOOST_TEST(b.state() == breaker_state::open);
}

/// `lose`: the row that opens it though probes are answered.
struct losing_breaker : one_breaker {
  losing_breaker() {
    for (int i = 0; i < 5; ++i) lose(i);
    BOOST_TEST_REQUIRE(b.state() == breaker_state::open);
    b.on_probe(probed(true), at(2000), true);
    BOOST_TEST_REQUIRE(b.state() == breaker_state::half_open);
  }
  void lose(std::int64_t ms) {
    auto report = failed(b.generation());
    report.open_since = at(ms).now;
    b.on_report(report, at(ms));
  }
};

BOOST_FIXTURE_TEST_CASE(what_lost_requests_is_closed_by_answered_ones_and_by_no_probe, losing_breaker) {
  for (int i = 0; i < 50; ++i) b.on_probe(probed(true), at(2100 + i * 100), true);
  BOOST_TEST(b.state() == breaker_state::half_open);
  // One at a time is tried.
  BOOST_TEST(b.admit(at(8000).now, at(9000).now));
  BOOST_TEST(!b.usable(at(8000).now));
  b.on_report(trial(succeeded(b.generation())), at(8010));
  BOOST_TEST(b.usable(at(8010).now));
  b.on_probe(probed(true), at(8100), false);
  BOOST_TEST(b.state() == breaker_state::closed);
}

BOOST_FIXTURE_TEST_CASE(what_lost_requests_and_loses_the_one_that_is_tried_opens_for_longer, losing_breaker) {
  std::int64_t ms = 3000, before = 0;
  for (int i = 0; i < 4; ++i) {
    BOOST_TEST(b.admit(at(ms).now, at(ms + 1000).now));
    lose(ms + 10);
    BOOST_TEST_REQUIRE(b.state() == breaker_state::open);
    const auto pause = (b.next_event() - at(ms + 10).now) / milliseconds{1};
    BOOST_TEST(pause > before);
    before = pause;
    ms += pause + 100;
    b.advance(at(ms));
    b.on_probe(probed(true), at(ms), false);
    b.on_probe(probed(true), at(ms), false);
    BOOST_TEST(b.state() == breaker_state::half_open);
  }
}

BOOST_FIXTURE_TEST_CASE(suspended_by_hand_until_resumed, one_breaker) {
  b.suspend(duration{}, at(0).now);
  BOOST_TEST(b.state() == breaker_state::suspended);
  BOOST_TEST(b.health(at(0).now) == server_state::suspended);
  BOOST_TEST((b.next_event() == time_point::max()));
  BOOST_TEST(!b.retry_after(at(0).now).has_value());
  b.on_probe(probed(true), at(1), true);
  fail(9, at(2));
  BOOST_TEST(b.state() == breaker_state::suspended);
  b.resume(at(3).now);
  BOOST_TEST(b.state() == breaker_state::closed);
}

BOOST_FIXTURE_TEST_CASE(a_suspension_with_a_time_to_live_ends_by_itself, one_breaker) {
  b.suspend(seconds{5}, at(0).now);
  BOOST_TEST(b.retry_after(at(1000).now)->count() == 4000);
  b.advance(at(4999));
  BOOST_TEST(b.state() == breaker_state::suspended);
  b.advance(at(5000));
  BOOST_TEST(b.state() == breaker_state::closed);
}

BOOST_FIXTURE_TEST_CASE(resuming_a_server_that_was_down_tries_it_first, one_breaker) {
  open(at(0));
  b.suspend(duration{}, at(1).now);
  b.resume(at(2).now);
  BOOST_TEST(b.state() == breaker_state::half_open);
}

BOOST_FIXTURE_TEST_CASE(suspending_twice_replaces_the_time_to_live, one_breaker) {
  b.suspend(seconds{5}, at(0).now);
  b.suspend(seconds{60}, at(0).now);
  b.advance(at(5000));
  BOOST_TEST(b.state() == breaker_state::suspended);
  b.resume(at(5001).now);
  BOOST_TEST(b.state() == breaker_state::closed);
}

BOOST_FIXTURE_TEST_CASE(resuming_what_is_not_suspended_changes_nothing, one_breaker) {
  open(at(0));
  b.resume(at(1).now);
  BOOST_TEST(b.state() == breaker_state::open);
}

// ---- for people ----

BOOST_AUTO_TEST_CASE(only_what_has_answered_is_healthy) {
  breaker b{breaker_options{}, no_jitter()};
  b.set_probed(true);
  BOOST_TEST(b.untried());
  b.on_report(failed(0), at(0));
  BOOST_TEST(!b.untried());
  BOOST_TEST(b.health(at(0).now) == server_state::suspect);
  b.on_report(ready(), at(10));
  BOOST_TEST(b.health(at(10).now) == server_state::healthy);
  breaker probed_first{breaker_options{}, no_jitter()};
  probed_first.on_probe(probed(true), at(0), false);
  BOOST_TEST(!probed_first.untried());
  BOOST_TEST(probed_first.health(at(0).now) == server_state::healthy);
}

BOOST_AUTO_TEST_CASE(where_only_requests_can_tell_good_probes_are_no_health) {
  breaker b{breaker_options{}, no_jitter()};
  b.set_probed(true);
  auto lost = failed(0);
  lost.open_since = at(0).now;
  for (int i = 0; i < 5; ++i) b.on_report(lost, at(i));
  b.advance(at(2000));
  BOOST_TEST_REQUIRE(b.state() == breaker_state::half_open);
  b.on_probe(probed(true), at(2010), false);
  BOOST_TEST(b.health(at(2010).now) == server_state::down);
  BOOST_TEST(b.admit(at(2020).now, at(9000).now));
  b.on_report(trial(succeeded(0)), at(2030));
  BOOST_TEST(b.health(at(2030).now) == server_state::suspect);
}
