// What the breaker is told of operations, and when.
#include "rig.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

BOOST_FIXTURE_TEST_CASE(reports_successes_together_every_tenth_of_a_second, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  for (int i = 0; i < 5; ++i) BOOST_TEST(outcome(one, find_user(i)).ok());
  BOOST_TEST(seen->reports.empty());
  advance(milliseconds{100});
  BOOST_REQUIRE(seen->reports.size() == 1u);
  BOOST_TEST(seen->reports[0].successes == 5u);
  BOOST_TEST(seen->reports[0].server == 3u);
  BOOST_TEST(seen->reports[0].generation == 5u);
  BOOST_TEST(!seen->reports[0].failed.has_value());
  advance(seconds{1});
  BOOST_TEST(seen->reports.size() == 1u);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(reports_overload_at_once_and_after_the_successes_before_it, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  BOOST_TEST(outcome(one, find_user()).ok());
  directory.on(operation::modify, reply{{.code = result_code::busy}});
  BOOST_TEST((outcome(one, change_mail()).code() == errc::ldap_error));
  BOOST_REQUIRE(seen->reports.size() == 1u);
  BOOST_TEST(seen->reports[0].successes == 1u);
  BOOST_TEST((seen->reports[0].failed == failure_class::overload));
  BOOST_TEST(status(one).state == "ready");
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(does_not_hold_a_callers_mistakes_against_the_server, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.on(operation::search, reply{{.code = result_code::no_such_object}});
  for (int i = 0; i < 20; ++i) BOOST_TEST((outcome(one, find_user()).code() == errc::ldap_error));
  // Nor a deadline shorter than slow_call.
  directory.disturb(operation::compare, {.silent = true});
  const auto hasty = perform(one, make_request(compare_request{"cn=x", "cn", "y"}), milliseconds{100});
  settle();
  advance(milliseconds{200});
  BOOST_TEST((hasty->code() == errc::operation_timeout));
  // The others were answered, which is a sign of life.
  BOOST_REQUIRE(seen->reports.size() == 1u);
  BOOST_TEST(seen->reports[0].successes == 20u);
  BOOST_TEST(!seen->reports[0].failed.has_value());
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(the_end_of_an_idle_connection_is_a_question_and_no_failure, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  BOOST_TEST(outcome(one, find_user()).ok());
  directory.reset_all();
  BOOST_REQUIRE(reaches_event(connection_event::kind::closed));
  BOOST_TEST(seen->suspicions == 1);
  BOOST_REQUIRE(seen->reports.size() == 1u);
  BOOST_TEST(seen->reports[0].successes == 1u);
  BOOST_TEST(!seen->reports[0].failed.has_value());
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(reports_a_slow_operation_once_before_it_ends, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.disturb(operation::search, {.silent = true});
  const auto slow = perform(one, find_user(), seconds{30});
  settle();
  advance(seconds{5} - milliseconds{1});
  BOOST_TEST(seen->reports.empty());
  advance(milliseconds{1});
  BOOST_REQUIRE(seen->reports.size() == 1u);
  BOOST_TEST((seen->reports[0].failed == failure_class::slow));
  BOOST_TEST(!slow->done());
  advance(seconds{25});
  BOOST_TEST((slow->code() == errc::operation_timeout));
  BOOST_TEST(seen->reports.size() == 1u);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(reports_the_outcome_of_a_trial_call_at_once_whatever_it_is, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  auto good = order(find_user());
  good.trial = true;
  const auto fine = perform(one, good);
  BOOST_REQUIRE(reaches([&] { return fine->done(); }));
  BOOST_REQUIRE(seen->reports.size() == 1u);
  BOOST_TEST(seen->reports[0].trial);
  BOOST_TEST(seen->reports[0].successes == 1u);

  directory.on(operation::search, reply{{.code = result_code::no_such_object}});
  const auto nothing = perform(one, good);
  BOOST_REQUIRE(reaches([&] { return nothing->done(); }));
  BOOST_REQUIRE(seen->reports.size() == 2u);
  BOOST_TEST(seen->reports[1].trial);
  BOOST_TEST(seen->reports[1].successes == 1u);
  BOOST_TEST(!seen->reports[1].failed.has_value());

  good.token = std::make_shared<cancel_token>();
  good.token->cancel();
  const auto gone = perform(one, good);
  run();
  BOOST_TEST((gone->code() == errc::cancelled));
  BOOST_REQUIRE(seen->reports.size() == 3u);
  BOOST_TEST(seen->reports[2].trial);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(is_silent_when_its_server_takes_longer_than_usual, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  pace->answered(milliseconds{3200});
  const auto usual = pace->patience(true);
  BOOST_TEST_REQUIRE((usual > seconds{2}));
  directory.pause();
  const auto search = perform(one, find_user());
  settle();
  advance(seconds{1});
  BOOST_TEST(seen->suspicions == 1, "a probe finds out");
  BOOST_TEST(!load->silent);
  advance(usual - seconds{1} - milliseconds{1});
  BOOST_TEST(!load->silent);
  advance(milliseconds{1});
  BOOST_TEST(load->silent);
  BOOST_TEST(seen->suspicions == 2, "its pool may have to end it");
  directory.resume();
  BOOST_REQUIRE(reaches([&] { return search->done(); }));
  BOOST_TEST(!load->silent);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(voices_suspicion_once_for_each_silence, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  advance(seconds{60});
  BOOST_TEST(seen->suspicions == 0);  // idle is not silent
  directory.pause();
  const auto first = perform(one, find_user());
  const auto second = perform(one, find_user());
  settle();
  advance(milliseconds{999});
  BOOST_TEST(seen->suspicions == 0);
  BOOST_TEST(!load->silent);
  advance(milliseconds{1});
  BOOST_TEST(seen->suspicions == 1);
  BOOST_TEST(load->silent);  // for the pool, which ends it when a probe fails too
  advance(seconds{3});
  BOOST_TEST(seen->suspicions == 1);
  directory.resume();
  BOOST_REQUIRE(reaches([&] { return first->done() && second->done(); }));
  BOOST_TEST(first->ok());
  BOOST_TEST(!load->silent);
  directory.pause();
  const auto third = perform(one, find_user());
  settle();
  advance(seconds{1});
  BOOST_TEST(seen->suspicions == 2);
  directory.resume();
  BOOST_REQUIRE(reaches([&] { return third->done(); }));
  remove(one);
}

/// Whoever takes its server out ends the probe that was asked for, too.
BOOST_FIXTURE_TEST_CASE(voices_a_suspicion_again_when_it_is_drained, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.pause();
  static_cast<void>(perform(one, find_user()));
  settle();
  advance(seconds{1});
  BOOST_TEST(seen->suspicions == 1);
  tell(one, drain_atom_v);
  BOOST_TEST(seen->suspicions == 2);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(takes_a_byte_of_an_answer_for_no_sign_of_life, connection_rig) {
  // The begin of an answer of 1000 bytes.
  const std::string head = std::string{"0\x82\x03\xe8", 4};
  for (const std::size_t size : {std::size_t{1}, std::size_t{300}}) {
    stub_directory directory;
    use(directory);
    auto one = open_ready();
    directory.on(operation::search, reply{{}, {.raw = (head + std::string(296, '\0')).substr(0, size)}});
    directory.pause();
    const auto before = seen->suspicions;
    static_cast<void>(perform(one, find_user()));
    settle();
    advance(milliseconds{900});
    directory.resume();
    BOOST_REQUIRE(eventually([&] { return poller->fire_ready() > 0; }));
    settle();
    advance(milliseconds{100});
    BOOST_TEST(seen->suspicions - before == (size == 1 ? 1 : 0));
    advance(milliseconds{900});
    BOOST_TEST(seen->suspicions - before == 1);
    remove(one);
  }
}

/// A deadline that passes is the caller's choice, and yet a reason to ask.
BOOST_FIXTURE_TEST_CASE(has_its_server_probed_when_a_short_deadline_passes_without_any_answer, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.disturb(operation::search, {.silent = true});
  const auto hasty = perform(one, find_user(), milliseconds{100});
  const auto other = perform(one, find_user(), milliseconds{100});
  settle();
  advance(milliseconds{100});
  BOOST_TEST((hasty->code() == errc::operation_timeout));
  BOOST_TEST(other->done());
  BOOST_TEST(seen->suspicions == 1);
  BOOST_TEST(load->silent, "what else waits there goes elsewhere when the probe fails");
  BOOST_TEST(seen->reports.empty(), "no failure: the probe decides");
  // Once a second at most, and not at all when something else was answered meanwhile.
  static_cast<void>(perform(one, find_user(), milliseconds{100}));
  settle();
  advance(milliseconds{100});
  BOOST_TEST(seen->suspicions == 1);
  directory.forget_rules();
  BOOST_TEST(outcome(one, find_user()).ok());
  BOOST_TEST(!load->silent);
  directory.disturb(operation::compare, {.silent = true});
  const auto compare = perform(one, make_request(compare_request{"cn=x", "cn", "y"}), milliseconds{1500});
  settle();
  advance(milliseconds{900});
  BOOST_TEST(outcome(one, find_user()).ok());
  advance(milliseconds{600});
  BOOST_TEST(compare->done());
  BOOST_TEST(seen->suspicions == 1);
  remove(one);
}

namespace {

/// Searches for data send an entry, and never their result.
stub_script::rule_id begin_and_never_end(stub_directory& directory) {
  return directory.when([](const directory_request& r) { return r.kind == operation::search && !r.dn.empty(); },
                        [&directory](const directory_request& r) {
                          return reply{directory.usual(r).what, {.entries = 1}};
                        });
}

/// One that asks for the root DSE and for what was left unanswered.
answer_ptr<probe_report> check_of(connection_rig& rig, const connection_actor& connection, stub_directory& directory) {
  const auto before = directory.count(operation::search);
  const auto found = rig.start<probe_report>(connection, check_atom_v, rig.now() + milliseconds{300});
  BOOST_REQUIRE(rig.reaches([&] { return directory.count(operation::search) >= before + 2; }));
  return found;
}

}  // namespace

/// What a server owes is the result.
BOOST_FIXTURE_TEST_CASE(takes_an_entry_for_a_sign_of_life_and_not_for_an_answer, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  const auto rule = begin_and_never_end(directory);
  const auto search = perform(one, find_user(), seconds{15});
  // Answered behind the entry.
  BOOST_TEST(outcome(one, make_request(whoami_request{})).ok());
  advance(milliseconds{900});
  BOOST_TEST(seen->suspicions == 0);
  advance(milliseconds{100});
  BOOST_TEST(seen->suspicions == 1);
  BOOST_TEST(load->silent);
  // The root DSE is read as ever: the question has to be one that shows it.
  const auto bad = check_of(*this, one, directory);
  settle();
  advance(milliseconds{300});
  BOOST_REQUIRE(bad->done());
  BOOST_TEST(!bad->value->ok);
  BOOST_TEST(bad->value->answers_others);
  directory.forget(rule);
  const auto good = check_of(*this, one, directory);
  BOOST_REQUIRE(reaches([&] { return good->done(); }));
  BOOST_TEST(good->value->ok);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(asks_when_a_deadline_passes_after_entries_without_a_result, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  const auto rule = begin_and_never_end(directory);
  const auto search = perform(one, find_user(), milliseconds{300});
  BOOST_TEST(outcome(one, make_request(whoami_request{})).ok());
  advance(milliseconds{300});
  BOOST_TEST((search->code() == errc::operation_timeout));
  BOOST_TEST(seen->suspicions == 1);
  const auto bad = check_of(*this, one, directory);
  settle();
  advance(milliseconds{300});
  BOOST_REQUIRE(bad->done());
  BOOST_TEST(!bad->value->ok);
  // A whole answer settles it.
  directory.forget(rule);
  BOOST_TEST(outcome(one, find_user()).ok());
  const auto before = directory.count(operation::search);
  const auto usual = start<probe_report>(one, check_atom_v, now() + milliseconds{300});
  BOOST_REQUIRE(reaches([&] { return usual->done(); }));
  BOOST_TEST(usual->value->ok);
  BOOST_TEST(directory.count(operation::search) == before + 1);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(a_check_asks_for_what_requests_were_left_without, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  const auto rule =
      directory.when([](const directory_request& r) { return r.kind == operation::search && !r.dn.empty(); },
                     [](const directory_request&) {
                       return reply{{}, {.silent = true}};
                     });
  static_cast<void>(perform(one, find_user(), milliseconds{100}));
  settle();
  advance(milliseconds{100});
  const auto bad = start<probe_report>(one, check_atom_v, now() + milliseconds{300});
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::search) == 3; }));
  settle();
  advance(milliseconds{300});
  BOOST_REQUIRE(bad->done());
  BOOST_TEST(!bad->value->ok);
  BOOST_TEST(bad->value->answers_others);
  BOOST_TEST(bad->value->error->message.find("answers, but left a search of \"") != std::string::npos,
             bad->value->error->message);
  directory.forget(rule);
  const auto good = start<probe_report>(one, check_atom_v, now() + milliseconds{300});
  BOOST_REQUIRE(reaches([&] { return good->done(); }));
  BOOST_TEST(good->value->ok);
  // That is settled: the root DSE is enough again.
  const auto before = directory.count(operation::search);
  const auto usual = start<probe_report>(one, check_atom_v, now() + milliseconds{300});
  BOOST_REQUIRE(reaches([&] { return usual->done(); }));
  BOOST_TEST(directory.count(operation::search) == before + 1);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(a_check_that_nothing_is_answered_to_says_so, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.pause();
  static_cast<void>(perform(one, find_user(), milliseconds{100}));
  settle();
  advance(milliseconds{100});
  const auto check = start<probe_report>(one, check_atom_v, now() + milliseconds{300});
  settle();
  advance(milliseconds{300});
  BOOST_REQUIRE(check->done());
  BOOST_TEST(!check->value->ok);
  BOOST_TEST(!check->value->answers_others);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(asks_elsewhere_after_a_pause_what_a_busy_server_refused, connection_rig) {
  stub_directory directory;
  all.servers.resize(2);
  use(directory);
  auto one = open_ready();
  directory.on(operation::search, reply{{.code = result_code::busy}});
  const auto read = perform(one, find_user());
  BOOST_REQUIRE(reaches([&] { return load->completed == 1u; }));
  BOOST_TEST(seen->reports.size() == 1u);
  BOOST_TEST(seen->redispatches.empty());
  advance(milliseconds{100});
  BOOST_REQUIRE(seen->redispatches.size() == 1u);
  BOOST_TEST(seen->redispatches[0].last->ldap_code == 51);
  BOOST_TEST((read->code() == errc::no_server));
  BOOST_TEST(load->completed.load() == 1u);
  remove(one);
}

/// What is refused has not been done, whatever it was.
BOOST_FIXTURE_TEST_CASE(asks_elsewhere_for_a_write_that_a_busy_server_refused, connection_rig) {
  stub_directory directory;
  all.servers.resize(2);
  use(directory);
  auto one = open_ready();
  directory.on(operation::modify, reply{{.code = result_code::busy}});
  const auto write = perform(one, change_mail());
  BOOST_REQUIRE(reaches([&] { return load->completed == 1u; }));
  advance(milliseconds{100});
  BOOST_REQUIRE(seen->redispatches.size() == 1u);
  BOOST_TEST(seen->redispatches[0].last->ldap_code == 51);
  BOOST_TEST((write->code() == errc::no_server));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(asks_elsewhere_for_a_users_bind_that_an_unavailable_server_refused, connection_rig) {
  stub_directory directory;
  all.servers.resize(2);
  use(directory);
  auto one = open_ready(connection_kind::bind);
  directory.on(operation::bind, reply{{.code = result_code::unavailable}});
  const auto login = perform(one, make_request(bind_request{"uid=user1,ou=people,dc=example,dc=com", secret{"user1"}}));
  BOOST_REQUIRE(reaches([&] { return load->completed == 1u; }));
  advance(milliseconds{100});
  BOOST_REQUIRE(seen->redispatches.size() == 1u);
  BOOST_TEST(seen->redispatches[0].last->ldap_code == 52);
  BOOST_TEST((login->code() == errc::no_server));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(asks_nobody_again_when_every_server_was_asked, connection_rig) {
  stub_directory directory;
  all.servers.resize(2);
  use(directory);
  auto one = open_ready();
  directory.on(operation::search, reply{{.code = result_code::busy}});
  auto again = order(find_user());
  again.attempts = 1;
  const auto read = perform(one, again);
  BOOST_REQUIRE(reaches([&] { return read->done(); }));
  BOOST_TEST((read->code() == errc::ldap_error));
  advance(seconds{1});
  BOOST_TEST(seen->redispatches.empty());
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(retries_no_more_than_a_tenth_of_the_traffic, connection_rig) {
  stub_directory directory;
  all.servers.resize(2);
  use(directory);
  auto one = open_ready();
  directory.on(operation::search, reply{{.code = result_code::unavailable}});
  std::size_t refused = 0;
  for (int i = 0; i < 30; ++i) {
    const auto before = load->completed.load();
    const auto read = perform(one, find_user());
    BOOST_REQUIRE(reaches([&] { return load->completed > before; }));
    advance(milliseconds{100});
    refused += read->code() == errc::ldap_error ? 1 : 0;
  }
  BOOST_TEST(seen->redispatches.size() == 20u);
  BOOST_TEST(refused == 10u);
  directory.forget_rules();
  for (int i = 0; i < 20; ++i) BOOST_TEST(outcome(one, find_user()).ok());
  directory.on(operation::search, reply{{.code = result_code::unavailable}});
  for (int i = 0; i < 5; ++i) {
    static_cast<void>(perform(one, find_user()));
    settle();
  }
  BOOST_REQUIRE(reaches([&] { return load->completed == 55u; }));
  advance(milliseconds{100});
  BOOST_TEST(seen->redispatches.size() == 22u);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(what_one_server_refused_and_another_carried_out_costs_no_budget, connection_rig) {
  stub_directory directory;
  all.servers.resize(2);
  use(directory);
  auto one = open_ready();
  for (std::size_t i = 1; i <= 60; ++i) {
    directory.on(operation::search, reply{{.code = result_code::busy}});
    static_cast<void>(perform(one, find_user()));
    BOOST_REQUIRE(reaches([&] { return load->completed == 2 * i - 1; }));
    advance(milliseconds{100});
    BOOST_REQUIRE(seen->redispatches.size() == i);
    // As the connection of another server would do it.
    directory.forget_rules();
    auto again = seen->redispatches.back();
    again.deadline = now() + seconds{30};
    const auto done = perform(one, again);
    BOOST_REQUIRE(reaches([&] { return done->done(); }));
    BOOST_TEST(done->ok());
  }
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(asks_elsewhere_whatever_a_busy_server_refused_on_trial, connection_rig) {
  stub_directory directory;
  all.servers.resize(2);
  use(directory);
  auto one = open_ready();
  directory.on(operation::search, reply{{.code = result_code::busy}});
  for (std::size_t i = 1; i <= 30; ++i) {
    auto trial = order(find_user());
    trial.trial = true;
    static_cast<void>(perform(one, trial));
    BOOST_REQUIRE(reaches([&] { return load->completed == i; }));
    advance(milliseconds{100});
    BOOST_REQUIRE(seen->redispatches.size() == i);
    BOOST_TEST(!seen->redispatches.back().trial);
  }
  const auto read = perform(one, find_user());
  BOOST_REQUIRE(reaches([&] { return load->completed == 31u; }));
  advance(milliseconds{100});
  BOOST_TEST(seen->redispatches.size() == 31u, "trials were not charged to the budget of others");
  BOOST_TEST((read->code() == errc::no_server));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(cancels_and_settles_what_waits_to_be_asked_elsewhere, connection_rig) {
  stub_directory directory;
  all.servers.resize(2);
  use(directory);
  auto one = open_ready();
  directory.on(operation::search, reply{{.code = result_code::busy}});
  auto first = order(find_user());
  const auto token = first.token;
  const auto cancelled = perform(one, first);
  const auto other = perform(one, find_user());
  BOOST_REQUIRE(reaches([&] { return load->completed == 2u; }));
  token->cancel();
  tell(one, cancel_atom_v, token);
  BOOST_TEST((cancelled->code() == errc::cancelled));
  tell(one, close_atom_v);
  BOOST_TEST(other->done());
  BOOST_TEST(seen->redispatches.size() == 1u);
  remove(one);
}
