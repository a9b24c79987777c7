// One probe from slot to report, as a state machine.
#include "understudy/actors/health_monitor/probe_session.hpp"
#include "support/print.hpp"
#include "understudy/messages/result.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

namespace understudy::internal {
static std::ostream& operator<<(std::ostream& out, probe_action::kind k) { return out << static_cast<int>(k); }
}  // namespace understudy::internal

using namespace understudy;
using namespace understudy::internal;

namespace {

using kind = probe_action::kind;
using kinds = std::vector<kind>;
const time_point start{std::chrono::hours{1}};
const probe_mode keeping{true, true};

failure_ptr cause(errc code, int ldap_code = 0, stage where = stage::operation) {
  failure f;
  f.code = code;
  f.where = where;
  f.ldap_code = ldap_code;
  f.message = "cause";
  return std::make_shared<const failure>(std::move(f));
}

probe_report good() {
  probe_report r;
  r.ok = true;
  r.took = milliseconds{3};
  return r;
}

probe_report bad(failure_ptr why) {
  probe_report r;
  r.error = std::move(why);
  return r;
}

struct one_session {
  probe_session s{7, "ldap1:389"};
  std::uint64_t turn = 0;
  time_point deadline = start + seconds{5};

  kinds of(const probe_session::actions& actions) {
    kinds result;
    for (const auto& a : actions) {
      result.push_back(a.what);
      if (a.turn != 0) turn = a.turn;
    }
    return result;
  }
  void expect(const probe_session::actions& actions, const kinds& expected) {
    BOOST_TEST(of(actions) == expected, boost::test_tools::per_element());
  }
  void connect(const probe_mode& mode = keeping) {
    expect(s.begin(start, deadline, mode), {kind::ask_slot});
    expect(s.on_slot(true, start), {kind::open});
    expect(s.on_ready(start), {kind::check});
  }
  void stand() {
    connect();
    of(s.on_check(turn, good(), start));
    expect(s.on_steps(turn, {}), {kind::report});
    BOOST_REQUIRE(s.standing());
  }
  const probe_report& report() const { return s.outcome().report; }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_full_probe_reports_each_timed_step, one_session) {
  connect({false, true});
  expect(s.on_check(turn, good(), start + milliseconds{40}), {kind::ask_steps});
  const std::vector<probe_step> steps{{stage::connect, milliseconds{10}, true}, {stage::bind, milliseconds{20}, true}};
  expect(s.on_steps(turn, steps), {kind::report, kind::close});
  BOOST_TEST(report().ok);
  BOOST_TEST(report().server == 7U);
  BOOST_TEST((report().took == milliseconds{40}));
  BOOST_REQUIRE_EQUAL(report().steps.size(), 3U);
  BOOST_TEST(report().steps[2].what == stage::operation);
  BOOST_TEST((report().steps[2].took == milliseconds{3}));
  expect(s.on_ended(nullptr, start), {kind::forget, kind::give_slot_back});
  BOOST_TEST(s.idle());
}

BOOST_FIXTURE_TEST_CASE(a_kept_connection_is_only_checked_the_next_time, one_session) {
  stand();
  BOOST_TEST(!s.running());
  expect(s.begin(start, deadline, keeping), {kind::check});
  expect(s.on_check(turn, good(), start), {kind::report});
  BOOST_TEST(s.standing());
  BOOST_TEST(report().steps.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(without_a_slot_the_pools_connections_are_the_evidence, one_session) {
  of(s.begin(start, deadline, keeping));
  expect(s.on_slot(false, start), {kind::check_pool});
  pool_health h;
  h.healthy_connections = h.answered = 1;
  h.unhealthy_connections = 3;
  expect(s.on_pool(turn, h, start), {kind::report});
  BOOST_TEST(report().ok);
  BOOST_TEST(s.idle());
}

BOOST_FIXTURE_TEST_CASE(pooled_connections_that_all_fail_speak_against_the_server, one_session) {
  expect(s.begin(start, deadline, {false, false}), {kind::check_pool});
  pool_health h;
  h.unhealthy_connections = 2;
  expect(s.on_pool(turn, h, start), {kind::report});
  BOOST_TEST(!report().ok);
  BOOST_TEST(s.outcome().conclusive);
  BOOST_TEST((verdict(report()) == probe_verdict::dead));
}

BOOST_FIXTURE_TEST_CASE(the_pool_has_to_answer_before_the_probes_deadline, one_session) {
  const auto first = s.begin(start, deadline, {false, false});
  BOOST_REQUIRE_EQUAL(first.size(), 1U);
  BOOST_TEST((first[0].deadline == start + seconds{4}));
  const auto again = s.hurry(start + seconds{1}, start + milliseconds{1500}, true);
  BOOST_REQUIRE_EQUAL(again.size(), 1U);
  BOOST_TEST((again[0].deadline == start + milliseconds{1400}));
  pool_health h;
  h.healthy_connections = h.answered = 1;
  expect(s.on_pool(first[0].turn, h, start), {});
  expect(s.on_pool(again[0].turn, h, start), {kind::report});
}

BOOST_FIXTURE_TEST_CASE(a_pool_that_could_check_nothing_says_nothing, one_session) {
  of(s.begin(start, deadline, {false, false}));
  expect(s.on_pool(turn, pool_health{}, start), {kind::report});
  BOOST_TEST(!s.outcome().conclusive);
  BOOST_TEST(report().error->code == errc::pool_exhausted);
  // Users' binds are on connections that cannot be asked: that these are open is no answer.
  pool_health cannot_be_asked;
  cannot_be_asked.active_connections = cannot_be_asked.healthy_connections = 1;
  of(s.begin(start, deadline, {false, false}));
  expect(s.on_pool(turn, cannot_be_asked, start), {kind::report});
  BOOST_TEST(!s.outcome().conclusive);
  BOOST_TEST(!report().ok);
  // Those that can be, and do not answer, speak against the server whatever else is open.
  cannot_be_asked.unhealthy_connections = 2;
  of(s.begin(start, deadline, {false, false}));
  expect(s.on_pool(turn, cannot_be_asked, start), {kind::report});
  BOOST_TEST((verdict(report()) == probe_verdict::dead));
}

BOOST_FIXTURE_TEST_CASE(a_failed_connect_reports_its_cause_and_steps, one_session) {
  of(s.begin(start, deadline, keeping));
  of(s.on_slot(true, start));
  expect(s.on_ended(cause(errc::ssl_error, 0, stage::secure), start), {kind::ask_steps});
  expect(s.on_steps(turn, {{stage::secure, milliseconds{1}, false}}),
         {kind::forget, kind::give_slot_back, kind::check_pool});
  expect(s.on_pool(turn, pool_health{}, start), {kind::report});
  BOOST_TEST(report().error->code == errc::ssl_error);
  BOOST_TEST(report().steps.size() == 1U);
  BOOST_TEST(s.idle());
}

BOOST_FIXTURE_TEST_CASE(a_connect_that_hangs_ends_at_the_deadline, one_session) {
  of(s.begin(start, deadline, keeping));
  of(s.on_slot(true, start));
  expect(s.on_time(deadline - milliseconds{1}, {}), {});
  expect(s.on_time(deadline, {}), {kind::ask_steps});
  expect(s.on_steps(turn, {}), {kind::close, kind::check_pool});
  expect(s.on_pool(turn, pool_health{}, deadline), {kind::report});
  BOOST_TEST(report().error->code == errc::connection_timeout);
  BOOST_TEST((verdict(report()) == probe_verdict::dead));
  BOOST_TEST(!report().hurried);
  expect(s.on_ended(nullptr, deadline), {kind::forget, kind::give_slot_back});
  BOOST_TEST(s.idle());
}

BOOST_FIXTURE_TEST_CASE(a_server_without_room_for_the_probe_is_alive_while_open_connections_answer, one_session) {
  of(s.begin(start, deadline, keeping));
  of(s.on_slot(true, start));
  of(s.on_ended(cause(errc::connection_failed), start));
  of(s.on_steps(turn, {{stage::connect, milliseconds{1}, false}}));
  pool_health h;
  h.healthy_connections = 3;
  h.answered = 2;
  expect(s.on_pool(turn, h, start), {kind::report});
  BOOST_TEST((verdict(report()) == probe_verdict::alive));
  BOOST_TEST(report().warning.find("no further connection can be had (cause)") == 0U);
  BOOST_TEST(report().steps.size() == 1U);
  BOOST_TEST(s.idle());
}

/// The pool answers when the last of its connections has answered or has had its time; an answer at the very deadline
/// of the probe would come too late.
BOOST_FIXTURE_TEST_CASE(open_connections_have_to_answer_before_the_probes_deadline, one_session) {
  for (const bool hangs : {false, true}) {
    of(s.begin(start, deadline, keeping));
    of(s.on_slot(true, start));
    of(hangs ? s.on_time(deadline, {}) : s.on_ended(cause(errc::connection_failed), start));
    const auto asked = s.on_steps(turn, {});
    of(asked);
    BOOST_TEST((asked.back().what == kind::check_pool));
    BOOST_TEST((asked.back().deadline < s.deadline()));
    expect(s.on_time(asked.back().deadline, {}), {});
    pool_health h;
    h.healthy_connections = h.answered = 1;
    of(s.on_pool(turn, h, asked.back().deadline));
    BOOST_TEST((verdict(report()) == probe_verdict::alive));
    of(s.on_ended(nullptr, deadline));
  }
}

/// The pool was there first: it has taken the connections that the server gives, and they are being set up.
BOOST_FIXTURE_TEST_CASE(a_probe_that_is_refused_beside_connects_of_the_pool_says_nothing, one_session) {
  of(s.begin(start, deadline, keeping));
  of(s.on_slot(true, start));
  of(s.on_ended(cause(errc::connection_failed), start));
  of(s.on_steps(turn, {}));
  pool_health h;
  h.connecting = 1;
  expect(s.on_pool(turn, h, start), {kind::report});
  BOOST_TEST(!s.outcome().conclusive);
  BOOST_TEST((verdict(report()) == probe_verdict::nothing));
  BOOST_TEST(report().error->message.find("(cause)") != std::string::npos);
}

/// `understudy health` would have nothing to tell of a server that is down while its pool just tries once more.
BOOST_FIXTURE_TEST_CASE(a_patient_probe_waits_for_the_connects_of_the_pool, one_session) {
  auto patient = keeping;
  patient.patient = true;
  pool_health trying, failed, connected;
  trying.connecting = 1;
  connected.healthy_connections = connected.answered = 1;
  for (const auto& became : {failed, connected}) {
    of(s.begin(start, deadline, patient));
    of(s.on_slot(true, start));
    of(s.on_ended(cause(errc::connection_failed), start));
    of(s.on_steps(turn, {{stage::connect, milliseconds{1}, false}}));
    expect(s.on_pool(turn, trying, start), {});
    const auto soon = s.deadline();
    BOOST_TEST((soon > start && soon < start + milliseconds{100}));
    expect(s.on_time(soon - milliseconds{1}, {}), {});
    expect(s.on_time(soon, {}), {kind::check_pool});
    expect(s.on_pool(turn, became, soon), {kind::report});
    BOOST_TEST((verdict(report()) == (became.answered > 0 ? probe_verdict::alive : probe_verdict::dead)));
    BOOST_TEST(s.outcome().conclusive);
    BOOST_TEST(s.idle());
  }
}

BOOST_FIXTURE_TEST_CASE(connects_of_the_pool_are_waited_for_until_the_probes_deadline, one_session) {
  auto patient = keeping;
  patient.patient = true;
  of(s.begin(start, deadline, patient));
  of(s.on_slot(true, start));
  of(s.on_ended(cause(errc::connection_failed), start));
  of(s.on_steps(turn, {}));
  pool_health trying;
  trying.connecting = 1;
  auto at = start;
  for (int asked = 0; s.running() && asked < 1'000; ++asked) {
    of(s.on_pool(turn, trying, at));
    at = std::min(s.deadline(), deadline);
    of(s.on_time(at, {}));
  }
  BOOST_TEST(!s.running());
  BOOST_TEST((at > deadline - milliseconds{100} && at <= deadline));
  BOOST_TEST((verdict(report()) == probe_verdict::nothing));
  BOOST_TEST(report().error->message.find("are being set up") != std::string::npos);
  // A timer that is late makes it no later.
  of(s.begin(start, deadline, patient));
  of(s.on_slot(true, start));
  of(s.on_ended(cause(errc::connection_failed), start));
  of(s.on_steps(turn, {}));
  of(s.on_pool(turn, trying, start));
  expect(s.on_time(deadline, {}), {kind::report});
  BOOST_TEST((verdict(report()) == probe_verdict::nothing));
}

BOOST_FIXTURE_TEST_CASE(a_probe_that_hangs_beside_connects_of_the_pool_found_silence, one_session) {
  of(s.begin(start, deadline, keeping));
  of(s.on_slot(true, start));
  of(s.on_time(deadline, {}));
  of(s.on_steps(turn, {}));
  pool_health h;
  h.connecting = 1;
  of(s.on_pool(turn, h, deadline));
  BOOST_TEST((verdict(report()) == probe_verdict::dead));
}

BOOST_FIXTURE_TEST_CASE(leased_connections_that_cannot_be_asked_are_no_sign_of_life, one_session) {
  of(s.begin(start, deadline, keeping));
  of(s.on_slot(true, start));
  of(s.on_ended(cause(errc::connection_failed), start));
  of(s.on_steps(turn, {}));
  pool_health h;
  h.healthy_connections = 3;
  expect(s.on_pool(turn, h, start), {kind::report});
  BOOST_TEST((verdict(report()) == probe_verdict::dead));
}

BOOST_FIXTURE_TEST_CASE(open_connections_have_time_of_their_own_after_a_connect_that_hung, one_session) {
  of(s.begin(start, deadline, keeping));
  of(s.on_slot(true, start));
  of(s.on_time(deadline, {}));
  const auto asked = s.on_steps(turn, {});
  BOOST_REQUIRE_EQUAL(asked.size(), 2U);
  turn = asked[1].turn;
  BOOST_TEST((asked[1].deadline >= deadline + keeping.pool_time));
  pool_health h;
  h.healthy_connections = h.answered = 1;
  // The connection that hung may end before or after.
  expect(s.on_ended(nullptr, deadline), {});
  expect(s.on_pool(turn, h, deadline + seconds{1}), {kind::report, kind::forget, kind::give_slot_back});
  BOOST_TEST((verdict(report()) == probe_verdict::alive));
  BOOST_TEST(s.idle());
}

BOOST_FIXTURE_TEST_CASE(a_probe_in_a_hurry_says_so_when_it_ran_out_of_time, one_session) {
  auto hurried = keeping;
  hurried.hurried = true;
  of(s.begin(start, deadline, hurried));
  of(s.on_slot(true, start));
  of(s.on_time(deadline, {}));
  expect(s.on_steps(turn, {}), {kind::report, kind::close});
  BOOST_TEST(report().hurried);
  BOOST_TEST((verdict(report()) == probe_verdict::dead));
}

/// Its time was over a moment later anyway, and then it asked the pool for seconds: callers waited for that.
BOOST_FIXTURE_TEST_CASE(a_probe_that_is_hurried_at_its_end_asks_nobody_else, one_session) {
  of(s.begin(start, deadline, keeping));
  of(s.on_slot(true, start));
  of(s.on_time(deadline, {}));
  expect(s.hurry(deadline, deadline + milliseconds{300}, true), {});
  expect(s.on_steps(turn, {}), {kind::report, kind::close});
  BOOST_TEST((verdict(report()) == probe_verdict::dead));
}

BOOST_FIXTURE_TEST_CASE(a_refusal_is_no_matter_of_time, one_session) {
  auto hurried = keeping;
  hurried.hurried = true;
  of(s.begin(start, deadline, hurried));
  of(s.on_slot(true, start));
  of(s.on_ended(cause(errc::connection_failed), start));
  of(s.on_steps(turn, {}));
  of(s.on_pool(turn, pool_health{}, start));
  BOOST_TEST(!report().hurried);
}

BOOST_FIXTURE_TEST_CASE(where_nothing_can_replace_it_a_server_lives_that_answered_the_bind, one_session) {
  for (const bool content : {false, true}) {
    auto mode = keeping;
    mode.content = content;
    connect(mode);
    of(s.on_time(deadline, {}));
    of(s.on_steps(turn, {}));
    BOOST_TEST((verdict(report()) == (content ? probe_verdict::alive : probe_verdict::dead)));
    of(s.stop());
    of(s.on_ended(nullptr, deadline));
    BOOST_REQUIRE(s.idle());
  }
}

BOOST_FIXTURE_TEST_CASE(the_step_that_hangs_is_named, one_session) {
  of(s.begin(start, deadline, keeping));
  of(s.on_slot(true, start));
  of(s.on_time(deadline, {}));
  of(s.on_steps(turn, {{stage::connect, milliseconds{1}, true}, {stage::bind, seconds{4}, false}}));
  BOOST_TEST(report().error->message ==
             "ldap1:389 did not answer a probe in time: timed out waiting for the answer "
             "to the bind.");
  BOOST_TEST((report().error->where == stage::bind));
  BOOST_TEST(report().steps.size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_check_that_hangs_is_a_step_that_failed, one_session) {
  connect();
  of(s.on_time(deadline, {}));
  // An anonymous connection has read once already while it was set up.
  of(s.on_steps(turn, {{stage::connect, milliseconds{1}, true}, {stage::operation, milliseconds{1}, true}}));
  BOOST_TEST(report().error->message == "ldap1:389 did not answer a probe in time: timed out waiting for an answer.");
  BOOST_REQUIRE_EQUAL(report().steps.size(), 2U);
  BOOST_TEST(!report().steps[1].ok);
  BOOST_TEST((report().steps[1].took == seconds{5}));
}

BOOST_FIXTURE_TEST_CASE(a_connect_that_waits_for_us_says_nothing_of_the_server, one_session) {
  of(s.begin(start, deadline, keeping));
  of(s.on_slot(true, start));
  expect(s.on_time(deadline, {probe_wait::reason::ours}), {kind::report, kind::close});
  BOOST_TEST(!s.outcome().conclusive);
  BOOST_TEST((verdict(report()) == probe_verdict::nothing));
}

BOOST_FIXTURE_TEST_CASE(a_connect_that_waits_for_anothers_bind_says_where_the_server_hangs_and_is_no_evidence,
                        one_session) {
  of(s.begin(start, deadline, keeping));
  of(s.on_slot(true, start));
  expect(s.on_time(deadline, {probe_wait::reason::own_bind, seconds{3}}), {kind::ask_steps});
  expect(s.on_steps(turn, {}), {kind::report, kind::close});
  BOOST_TEST(!s.outcome().conclusive);
  BOOST_TEST((report().error->where == stage::bind));
}

BOOST_FIXTURE_TEST_CASE(steps_that_do_not_come_delay_no_report, one_session) {
  of(s.begin(start, deadline, keeping));
  of(s.on_slot(true, start));
  of(s.on_time(deadline, {}));
  expect(s.on_time(deadline, {}), {});
  expect(s.on_time(deadline + milliseconds{50}, {}), {kind::close, kind::check_pool});
  BOOST_TEST(report().error->message == "ldap1:389 did not answer a probe in time.");
  expect(s.on_steps(turn, {}), {});
}

BOOST_FIXTURE_TEST_CASE(hurry_shortens_a_probe_and_never_lengthens_it, one_session) {
  of(s.begin(start, deadline, keeping));
  expect(s.hurry(start, start + milliseconds{300}, true), {});
  expect(s.hurry(start, start + seconds{60}, true), {});
  BOOST_TEST((s.deadline() == start + milliseconds{300}));
}

BOOST_FIXTURE_TEST_CASE(a_standing_connection_that_is_silent_speaks_against_the_server, one_session) {
  stand();
  of(s.begin(start, start + milliseconds{300}, keeping));
  expect(s.on_time(start + milliseconds{300}, {}), {kind::report, kind::close});
  BOOST_TEST(report().error->code == errc::operation_timeout);
  BOOST_TEST((verdict(report()) == probe_verdict::dead));
}

BOOST_FIXTURE_TEST_CASE(a_standing_connection_lost_during_its_check_is_replaced_in_the_same_probe, one_session) {
  stand();
  of(s.begin(start, deadline, keeping));
  expect(s.on_ended(cause(errc::connection_failed), start), {kind::forget, kind::open});
  expect(s.on_ready(start), {kind::check});
  of(s.on_check(turn, good(), start));
  expect(s.on_steps(turn, {}), {kind::report});
  BOOST_TEST(report().ok);
  BOOST_TEST(s.standing());
}

BOOST_FIXTURE_TEST_CASE(a_check_refused_by_a_closing_connection_waits_for_its_end, one_session) {
  stand();
  of(s.begin(start, deadline, keeping));
  expect(s.on_check(turn, bad(cause(errc::connection_failed)), start), {kind::close});
  expect(s.on_ended(nullptr, start), {kind::forget, kind::give_slot_back, kind::ask_slot});
  expect(s.on_slot(true, start), {kind::open});
  BOOST_TEST(s.running());
}

BOOST_FIXTURE_TEST_CASE(a_closing_connection_that_never_ends_is_a_failure_at_the_deadline, one_session) {
  stand();
  of(s.begin(start, deadline, keeping));
  of(s.on_check(turn, bad(cause(errc::connection_failed)), start));
  expect(s.on_time(deadline, {}), {kind::report});
  BOOST_TEST(!report().ok);
  expect(s.on_ended(nullptr, deadline), {kind::forget, kind::give_slot_back});
  BOOST_TEST(s.idle());
}

BOOST_FIXTURE_TEST_CASE(a_standing_connection_that_ends_gives_its_socket_back, one_session) {
  stand();
  expect(s.on_ended(nullptr, start), {kind::forget, kind::give_slot_back, kind::lost});
  BOOST_TEST(s.idle());
}

BOOST_FIXTURE_TEST_CASE(a_draining_standing_connection_is_closed, one_session) {
  stand();
  expect(s.on_draining(), {kind::close});
  expect(s.on_ended(nullptr, start), {kind::forget, kind::give_slot_back});
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_drains_during_its_check_is_not_kept, one_session) {
  connect();
  expect(s.on_draining(), {});
  of(s.on_check(turn, good(), start));
  expect(s.on_steps(turn, {}), {kind::report, kind::close});
}

BOOST_FIXTURE_TEST_CASE(an_answer_about_the_caller_found_the_server_alive, one_session) {
  connect();
  of(s.on_check(turn, bad(cause(errc::ldap_error, result_code::insufficient_access)), start));
  expect(s.on_steps(turn, {}), {kind::report});
  BOOST_TEST((verdict(report()) == probe_verdict::alive));
  BOOST_TEST(s.standing());
}

BOOST_FIXTURE_TEST_CASE(a_busy_answer_speaks_against_the_server, one_session) {
  connect();
  of(s.on_check(turn, bad(cause(errc::ldap_error, result_code::busy)), start));
  of(s.on_steps(turn, {}));
  BOOST_TEST((verdict(report()) == probe_verdict::dead));
}

BOOST_FIXTURE_TEST_CASE(refused_credentials_are_told_but_speak_not_against_the_server, one_session) {
  of(s.begin(start, deadline, keeping));
  of(s.on_slot(true, start));
  of(s.on_ended(cause(errc::service_authentication_failed, result_code::invalid_credentials, stage::bind), start));
  of(s.on_steps(turn, {}));
  BOOST_TEST(!report().ok);
  BOOST_TEST(report().error->code == errc::service_authentication_failed);
  BOOST_TEST((verdict(report()) == probe_verdict::alive));
}

BOOST_FIXTURE_TEST_CASE(a_slot_granted_too_late_is_given_back, one_session) {
  of(s.begin(start, deadline, keeping));
  expect(s.on_time(deadline, {}), {kind::report});
  BOOST_TEST(!s.outcome().conclusive);
  expect(s.on_slot(true, start), {kind::give_slot_back});
  expect(s.on_slot(false, start), {});
  BOOST_TEST(s.idle());
}

BOOST_FIXTURE_TEST_CASE(stale_answers_are_ignored, one_session) {
  stand();
  of(s.begin(start, deadline, keeping));
  const auto old = turn;
  of(s.on_time(deadline, {}));
  expect(s.on_check(old, good(), deadline), {});
  expect(s.on_pool(old, pool_health{}, deadline), {});
  expect(s.on_ended(nullptr, deadline), {kind::forget, kind::give_slot_back});
  expect(s.on_ended(nullptr, deadline), {});
  expect(s.on_ready(start), {});
}

BOOST_FIXTURE_TEST_CASE(a_probe_waits_until_the_old_connection_has_closed, one_session) {
  stand();
  of(s.on_draining());
  expect(s.begin(start, deadline, keeping), {});
  BOOST_TEST(s.running());
  expect(s.on_ended(nullptr, start), {kind::forget, kind::give_slot_back, kind::ask_slot});
}

BOOST_FIXTURE_TEST_CASE(only_one_probe_runs_at_a_time, one_session) {
  of(s.begin(start, deadline, keeping));
  expect(s.begin(start, deadline, keeping), {});
}

BOOST_FIXTURE_TEST_CASE(stop_closes_a_running_probe_without_a_report, one_session) {
  connect();
  expect(s.stop(), {kind::close});
  expect(s.on_check(turn, good(), start), {});
  expect(s.on_ended(nullptr, start), {kind::forget, kind::give_slot_back});
  BOOST_TEST(s.idle());
}

BOOST_FIXTURE_TEST_CASE(stop_while_waiting_for_a_slot_gives_it_back_later, one_session) {
  of(s.begin(start, deadline, keeping));
  expect(s.stop(), {});
  BOOST_TEST(s.idle());
  expect(s.on_slot(true, start), {kind::give_slot_back});
}

BOOST_FIXTURE_TEST_CASE(stop_twice_closes_once, one_session) {
  stand();
  expect(s.stop(), {kind::close});
  expect(s.stop(), {});
}

BOOST_FIXTURE_TEST_CASE(stop_after_the_connection_ended_leaves_nothing, one_session) {
  connect();
  of(s.on_ended(cause(errc::connection_failed), start));
  expect(s.stop(), {kind::forget, kind::give_slot_back});
  BOOST_TEST(s.idle());
}
