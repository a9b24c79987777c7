// The life of a service as a state machine: when it is ready, what the service manager is told, how it ends.
#include "understudy/tools/service_state.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace understudy;
using namespace understudy::cli;
using namespace std::chrono_literals;

namespace {

service_observation serving(std::string by = "ldap1:389 serves") {
  service_observation seen;
  seen.answered = seen.serves = true;
  seen.summary = std::move(by);
  return seen;
}

service_observation nobody(bool all_failed = true) {
  service_observation seen;
  seen.answered = true;
  seen.all_failed = all_failed;
  seen.summary = "ldap1:389: refused";
  return seen;
}

/// An action in one line.
std::string text_of(const service_action& action) {
  struct {
    std::string operator()(const service_do::start&) const { return "start"; }
    std::string operator()(const service_do::observe&) const { return "observe"; }
    std::string operator()(const service_do::reload&) const { return "reload"; }
    std::string operator()(const service_do::drain&) const { return "drain"; }
    std::string operator()(const service_do::reopen_log&) const { return "reopen log"; }
    std::string operator()(const service_do::say& line) const { return "say " + line.text; }
    std::string operator()(const service_do::notify& told) const { return "notify " + told.assignments; }
    std::string operator()(const service_do::end& how) const { return "end " + std::to_string(how.code); }
    std::string operator()(const service_do::end_at_once& how) const {
      return "end at once " + std::to_string(how.code);
    }
  } const texts;
  return std::visit(texts, action);
}

using texts = std::vector<std::string>;

struct machine {
  explicit machine(std::optional<duration> watchdog = std::nullopt) : state(service_timing{10s, watchdog}) {}

  texts operator()(const service_state::actions& todo) const {
    texts all;
    std::transform(todo.begin(), todo.end(), std::back_inserter(all), text_of);
    return all;
  }
  texts see(const service_observation& seen) { return (*this)(state.on_observed(now, seen)); }
  /// Time passes until something is due.
  texts wait() {
    BOOST_TEST_REQUIRE((state.next_event() != time_point::max()));
    now = std::max(now, state.next_event());
    return (*this)(state.on_time(now));
  }
  void make_ready() {
    state.begin(now);
    state.on_started(now, true, {});
    see(serving());
    BOOST_TEST_REQUIRE((state.phase() == service_phase::ready));
  }

  time_point now{1000s};
  service_state state;
};

void check(const texts& all, const texts& expected) { BOOST_TEST(all == expected, boost::test_tools::per_element()); }

bool any_with(const texts& all, const std::string& part) {
  return std::any_of(all.begin(), all.end(), [&](const auto& each) { return each.find(part) != std::string::npos; });
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_service_is_ready_when_a_server_answers) {
  machine m;
  BOOST_TEST((m.state.phase() == service_phase::starting));
  check(m(m.state.begin(m.now)), {"start", "observe"});
  // Nothing is known yet: neither ready, nor said not to be.
  check(m.see(nobody(false)), {"notify EXTEND_TIMEOUT_USEC=30000000"});
  check(m(m.state.on_started(m.now, true, {})), {});
  check(m.wait(), {"observe"});
  check(m.see(serving()), {"say ready: ldap1:389 serves", "notify READY=1\nSTATUS=ldap1:389 serves"});
  BOOST_TEST((m.state.phase() == service_phase::ready));
}

BOOST_AUTO_TEST_CASE(a_service_whose_servers_are_all_down_says_so_once_and_becomes_ready_when_one_returns) {
  machine m;
  m.state.begin(m.now);
  BOOST_TEST(any_with(m.see(nobody()), "say not ready: ldap1:389: refused"));
  BOOST_TEST((m.state.phase() == service_phase::not_ready));
  check(m(m.state.on_started(m.now, false, "refused")), {});
  const auto began = m.now;
  // It is looked at often, says nothing new, and keeps the service manager from giving up.
  int extended = 0;
  while (m.now < began + 65s) {
    check(m.wait(), {"observe"});
    for (const auto& told : m.see(nobody())) {
      BOOST_TEST(told == "notify EXTEND_TIMEOUT_USEC=30000000");
      ++extended;
    }
  }
  BOOST_TEST(extended == 6);
  check(m.wait(), {"observe"});
  check(m.see(serving()), {"say ready: ldap1:389 serves", "notify READY=1\nSTATUS=ldap1:389 serves"});
}

BOOST_AUTO_TEST_CASE(a_start_in_which_nobody_answered_is_not_ready) {
  machine m;
  m.state.begin(m.now);
  check(m(m.state.on_started(m.now, false, "no server")),
        {"say not ready: no server", "notify STATUS=not ready: no server"});
}

BOOST_AUTO_TEST_CASE(readiness_goes_and_comes_back) {
  machine m;
  m.make_ready();
  check(m.wait(), {"observe"});
  check(m.see(nobody()), {"say not ready: ldap1:389: refused", "notify STATUS=not ready: ldap1:389: refused"});
  BOOST_TEST((m.state.phase() == service_phase::not_ready));
  check(m.wait(), {"observe"});
  // The service manager was told long ago that the service has started.
  check(m.see(serving("ldap2:389 serves")), {"say ready: ldap2:389 serves", "notify STATUS=ldap2:389 serves"});
}

BOOST_AUTO_TEST_CASE(another_server_is_a_new_status_and_no_new_line) {
  machine m;
  m.make_ready();
  m.wait();
  check(m.see(serving("ldap2:389 serves")), {"notify STATUS=ldap2:389 serves"});
  m.wait();
  check(m.see(serving("ldap2:389 serves")), {});
}

BOOST_AUTO_TEST_CASE(a_status_is_one_line_whatever_a_server_said) {
  machine m;
  m.make_ready();
  m.wait();
  check(m.see(serving("a\nWATCHDOG=1")), {"notify STATUS=a\\x0aWATCHDOG=1"});
}

BOOST_AUTO_TEST_CASE(the_watchdog_hears_at_half_of_its_time_and_only_what_the_runtime_answers) {
  machine m{4s};
  m.make_ready();
  const auto began = m.now;
  std::vector<duration> signs;
  while (m.now < began + 20s) {
    m.wait();
    if (any_with(m.see(serving()), "WATCHDOG=1")) signs.push_back(m.now - began);
  }
  BOOST_TEST_REQUIRE(signs.size() == 10U);
  for (std::size_t i = 0; i < signs.size(); ++i) BOOST_TEST((signs[i] == (i + 1) * 2s));
  // An answer that says that nobody serves is an answer.
  m.now += 2s;
  m.wait();
  BOOST_TEST(any_with(m.see(nobody()), "WATCHDOG=1"));
  // None is none, however often it is asked.
  for (int i = 0; i < 100; ++i) {
    const auto before = m.now;
    m.wait();
    BOOST_TEST((m.now > before));
    BOOST_TEST(!any_with(m.see({}), "WATCHDOG"));
  }
  m.wait();
  BOOST_TEST(any_with(m.see(serving()), "WATCHDOG=1"));
}

BOOST_AUTO_TEST_CASE(a_watchdog_of_less_than_a_second_is_kept_up_with) {
  machine m{200ms};
  m.make_ready();
  auto last = m.now;
  for (int i = 0; i < 100; ++i) {
    m.wait();
    if (!any_with(m.see(serving()), "WATCHDOG=1")) continue;
    BOOST_TEST((m.now - last <= 150ms));
    last = m.now;
  }
  BOOST_TEST((m.now - last <= 150ms));
}

BOOST_AUTO_TEST_CASE(a_runtime_that_does_not_answer_is_said_once_and_makes_it_not_ready) {
  machine m;
  m.make_ready();
  m.wait();
  check(m.see({}), {"say the runtime does not answer", "say not ready: the runtime does not answer",
                    "notify STATUS=not ready: the runtime does not answer"});
  m.wait();
  check(m.see({}), {});
  m.wait();
  check(m.see(serving()), {"say ready: ldap1:389 serves", "notify STATUS=ldap1:389 serves"});
}

BOOST_AUTO_TEST_CASE(an_observation_that_never_ends_is_no_answer) {
  machine m;
  m.make_ready();
  check(m.wait(), {"observe"});
  const auto asked = m.now;
  BOOST_TEST(any_with(m.wait(), "say not ready: the runtime does not answer"));
  BOOST_TEST((m.now == asked + 5s));
  // Nobody else is sent after it.
  BOOST_TEST((m.state.next_event() == time_point::max()));
  check(m.see(serving()), {"say ready: ldap1:389 serves", "notify STATUS=ldap1:389 serves"});
  check(m.wait(), {"observe"});
}

BOOST_AUTO_TEST_CASE(a_runtime_that_has_given_up_ends_the_service_as_a_failure) {
  machine m;
  m.make_ready();
  service_observation seen;
  seen.ended = true;
  seen.summary = "too many restarts";
  m.wait();
  const auto all = m.see(seen);
  BOOST_TEST(any_with(all, "say the runtime has given up: too many restarts"));
  BOOST_TEST(all.back() == "end 3");
  BOOST_TEST((m.state.phase() == service_phase::stopped));
}

BOOST_AUTO_TEST_CASE(a_start_that_cannot_be_ends_the_service_as_a_failure) {
  machine m;
  m.state.begin(m.now);
  const auto all = m(m.state.on_start_failed("no threads"));
  BOOST_TEST(any_with(all, "say cannot start: no threads"));
  BOOST_TEST(all.back() == "end 3");
}

BOOST_AUTO_TEST_CASE(a_reload_is_told_from_its_begin_to_its_end) {
  machine m;
  m.make_ready();
  check(m(m.state.on_reload_asked(m.now)), {"notify RELOADING=1\nMONOTONIC_USEC=1000000000", "reload"});
  BOOST_TEST((m.state.phase() == service_phase::reloading));
  // It serves meanwhile.
  m.wait();
  check(m.see(serving()), {});
  check(m(m.state.on_reloaded(m.now, {true, {"added ldap2:389"}})),
        {"say the configuration was read again and applied", "say added ldap2:389",
         "notify READY=1\nSTATUS=ldap1:389 serves"});
  BOOST_TEST((m.state.phase() == service_phase::ready));
}

BOOST_AUTO_TEST_CASE(a_refused_reload_says_every_reason_and_ends_too) {
  machine m;
  m.make_ready();
  m.state.on_reload_asked(m.now);
  check(m(m.state.on_reloaded(m.now, {false, {"x.toml:1:1: a", "x.toml:2:1: b"}})),
        {"say the configuration was refused, the earlier one stays", "say x.toml:1:1: a", "say x.toml:2:1: b",
         "notify READY=1\nSTATUS=ldap1:389 serves"});
  BOOST_TEST((m.state.phase() == service_phase::ready));
}

BOOST_AUTO_TEST_CASE(a_reload_asked_for_during_a_reload_is_done_once_afterwards) {
  machine m;
  m.make_ready();
  m.state.on_reload_asked(m.now);
  for (int i = 0; i < 5; ++i) check(m(m.state.on_reload_asked(m.now)), {});
  BOOST_TEST(m(m.state.on_reloaded(m.now, {true, {}})).back() == "reload");
  BOOST_TEST(m(m.state.on_reloaded(m.now, {true, {}})).back() != "reload");
  BOOST_TEST((m.state.phase() == service_phase::ready));
}

BOOST_AUTO_TEST_CASE(a_reload_before_the_first_answer_does_not_say_that_the_service_has_started) {
  machine m;
  m.state.begin(m.now);
  check(m(m.state.on_reload_asked(m.now)), {"reload"});
  BOOST_TEST(!any_with(m(m.state.on_reloaded(m.now, {true, {}})), "READY"));
  BOOST_TEST((m.state.phase() == service_phase::starting));
}

BOOST_AUTO_TEST_CASE(a_stop_drains_and_ends_well) {
  machine m;
  m.make_ready();
  check(m(m.state.on_stop_asked(m.now)), {"notify STOPPING=1\nSTATUS=stopping: what runs may take 10s to "
                                          "finish\nEXTEND_TIMEOUT_USEC=15000000",
                                          "say stopping: what runs may take 10s to finish", "drain"});
  BOOST_TEST((m.state.phase() == service_phase::draining));
  // Nothing else counts any more.
  check(m.see(nobody()), {});
  check(m(m.state.on_reload_asked(m.now)), {});
  check(m(m.state.on_started(m.now, false, "stopped")), {});
  check(m(m.state.on_drained(true)), {"say stopped", "end 0"});
  BOOST_TEST((m.state.phase() == service_phase::stopped));
  BOOST_TEST((m.state.next_event() == time_point::max()));
}

BOOST_AUTO_TEST_CASE(a_stop_that_cuts_something_off_says_so) {
  machine m;
  m.make_ready();
  m.state.on_stop_asked(m.now);
  check(m(m.state.on_drained(false)), {"say stopped; what had not finished in time was cut off", "end 0"});
}

BOOST_AUTO_TEST_CASE(a_second_signal_ends_at_once) {
  machine m;
  m.make_ready();
  m.state.on_stop_asked(m.now);
  BOOST_TEST(m(m.state.on_stop_asked(m.now)).back() == "end at once 3");
}

BOOST_AUTO_TEST_CASE(a_drain_that_hangs_has_an_end) {
  machine m;
  m.make_ready();
  // As the configuration has it now.
  m.state.on_reload_asked(m.now);
  m.state.on_reloaded(m.now, {true, {}}, 2s);
  const auto asked = m.now;
  m.state.on_stop_asked(m.now);
  BOOST_TEST(m.wait().back() == "end at once 3");
  BOOST_TEST((m.now == asked + 7s));
}

BOOST_AUTO_TEST_CASE(a_stop_before_the_first_answer_and_during_a_reload_is_a_stop) {
  machine early;
  early.state.begin(early.now);
  BOOST_TEST(early(early.state.on_stop_asked(early.now)).back() == "drain");
  machine m;
  m.make_ready();
  m.state.on_reload_asked(m.now);
  BOOST_TEST(m(m.state.on_stop_asked(m.now)).back() == "drain");
  BOOST_TEST((m.state.phase() == service_phase::draining));
  check(m(m.state.on_reloaded(m.now, {true, {}})), {});
}

BOOST_AUTO_TEST_CASE(the_log_is_reopened_whatever_else_happens) {
  machine m;
  check(m(m.state.on_reopen_asked()), {"reopen log"});
  m.make_ready();
  m.state.on_stop_asked(m.now);
  check(m(m.state.on_reopen_asked()), {"reopen log"});
}
