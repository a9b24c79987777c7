// How connections end, and what becomes of what they carried: exactly one outcome each.
#include "rig.hpp"

#include "support/fault_gate.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using kind = connection_event::kind;

BOOST_FIXTURE_TEST_CASE(redispatches_reads_and_confesses_writes_when_the_server_dies, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.disturb_all({.silent = true});
  const auto read = perform(one, find_user());
  const auto write = perform(one, change_mail());
  const auto probe = start<probe_report>(one, check_atom_v, now() + seconds{30});
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::modify) == 1; }));
  seen->order.clear();
  directory.reset_all();
  BOOST_REQUIRE(reaches([&] { return read->done() && write->done() && probe->done(); }));

  // The breaker knows before it is asked again.
  const auto place = [&](const char* name) { return std::find(seen->order.begin(), seen->order.end(), name); };
  BOOST_TEST((place("report") < place("redispatch")));
  BOOST_TEST((seen->reports.back().failed == failure_class::transport));
  BOOST_TEST((seen->events.back().what == kind::closed));
  BOOST_TEST((cause().code == errc::connection_failed));
  BOOST_REQUIRE(seen->redispatches.size() == 1u);
  BOOST_TEST(seen->redispatches[0].attempts == 1);
  BOOST_TEST(seen->redispatches[0].tried.contains(3));
  BOOST_REQUIRE(seen->redispatches[0].last != nullptr);
  BOOST_TEST((read->code() == errc::no_server));  // the breaker's answer in this test
  BOOST_TEST((write->code() == errc::outcome_unknown));
  BOOST_TEST(!probe->value->ok);
  BOOST_TEST(load->completed.load() == 2u);
  BOOST_TEST(metrics->totals(clock->now()).recast == 1u);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(redispatches_even_writes_of_which_nothing_was_sent, connection_rig) {
  stub_directory directory;
  fault_gate gate{directory.port()};
  use_port(gate.port());
  auto one = open_ready();
  gate.set({.hold = true});
  modify_request large;
  large.dn = "cn=x";
  large.changes.push_back({modification::kind::replace, {"v", {std::string(2 * 1024 * 1024, 'x')}}});
  std::vector<answer_ptr<result_ptr>> answers;
  for (int i = 0; i < 12; ++i) answers.push_back(perform(one, make_request(large)));
  settle();
  const auto last = perform(one, change_mail());
  settle();
  BOOST_TEST(status(one).in_flight == 13u);
  gate.reset();
  BOOST_REQUIRE(
      reaches([&] { return std::all_of(answers.begin(), answers.end(), [](const auto& a) { return a->done(); }); }));
  BOOST_REQUIRE(reaches([&] { return last->done(); }));
  BOOST_TEST((answers.front()->code() == errc::outcome_unknown));
  BOOST_TEST((last->code() == errc::no_server));
  BOOST_TEST(seen->redispatches.size() >= 1u);
  BOOST_TEST((seen->redispatches.back().what->op.index() == change_mail()->op.index()));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(takes_an_expired_write_back_when_nothing_of_it_was_sent, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.pause();
  modify_request large;
  large.dn = "cn=large";
  large.changes.push_back({modification::kind::replace, {"v", {std::string(8 * 1024 * 1024, 'x')}}});
  const auto blocking = perform(one, make_request(large));
  settle();
  const auto behind = perform(one, make_request(delete_request{"cn=behind"}), milliseconds{500});
  const auto after = perform(one, make_request(delete_request{"cn=after"}));
  settle();
  advance(milliseconds{500});
  BOOST_TEST((behind->code() == errc::operation_timeout));
  BOOST_TEST(!blocking->done());
  directory.resume();
  BOOST_REQUIRE(reaches([&] { return blocking->done() && after->done(); }));
  BOOST_TEST(blocking->ok());
  BOOST_TEST(after->ok());
  const auto deleted = directory.requests(operation::remove);
  BOOST_REQUIRE(deleted.size() == 1u);
  BOOST_TEST(deleted[0].dn == "cn=after");
  BOOST_TEST(directory.protocol_errors() == 0u);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(gives_up_after_the_last_retry, connection_rig) {
  server.max_retries = 2;
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.disturb_all({.silent = true});
  auto tired = order(find_user());
  tired.attempts = 2;
  const auto read = perform(one, tired);
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::search) == 1; }));
  directory.close_all();
  BOOST_REQUIRE(reaches([&] { return read->done(); }));
  BOOST_TEST((read->code() == errc::connection_failed));
  BOOST_TEST(read->error->message.find("3 attempts") != std::string::npos, read->error->message);
  BOOST_TEST(seen->redispatches.empty());
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(holds_no_grudge_when_an_idle_connection_is_closed, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.close_all();
  BOOST_REQUIRE(reaches_event(kind::closed));
  BOOST_TEST(!seen->events.back().broke_protocol);
  BOOST_TEST(seen->reports.empty());
  // What arrives before the pool knows goes elsewhere.
  const auto stray = perform(one, change_mail());
  run();
  BOOST_TEST((stray->code() == errc::no_server));
  BOOST_TEST(seen->redispatches.size() == 1u);
  BOOST_TEST(status(one).state == "closed");
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(closes_when_the_peer_breaks_the_protocol, connection_rig) {
  const std::string unknown_id{"\x30\x0c\x02\x01\x63\x65\x07\x0a\x01\x00\x04\x00\x04\x00", 14};
  const std::string garbage = "HTTP/1.1 400 Bad Request\r\n\r\n";
  const std::string oversized{"\x30\x84\x7f\xff\xff\xff\x02\x01", 8};
  std::uint64_t errors = 0;
  for (const auto& bytes : {unknown_id, garbage, oversized}) {
    stub_directory directory;
    use(directory);
    auto one = open_ready();
    seen->redispatches.clear();
    directory.disturb(operation::search, {.silent = true});
    const auto read = perform(one, find_user());
    BOOST_REQUIRE(reaches([&] { return directory.count(operation::search) == 1; }));
    directory.send_to_all(bytes);
    BOOST_REQUIRE(reaches_event(kind::closed));
    BOOST_TEST((cause().code == errc::connection_failed));
    BOOST_TEST(cause().message.find("broke the protocol") != std::string::npos, cause().message);
    BOOST_TEST(seen->events.back().broke_protocol);
    BOOST_TEST(seen->redispatches.size() == 1u);
    BOOST_TEST(metrics->protocol_errors() == ++errors);
    remove(one);
  }
}

BOOST_FIXTURE_TEST_CASE(closes_when_an_answer_does_not_fit_its_request_or_cannot_be_decoded, connection_rig) {
  // A modifyResponse to a search; an entry whose attributes run past its end.
  const std::string wrong_kind{"\x30\x0c\x02\x01\x02\x67\x07\x0a\x01\x00\x04\x00\x04\x00", 14};
  const std::string broken{"\x30\x0c\x02\x01\x02\x64\x07\x04\x01x\x30\x7f\x30\x00", 14};
  for (const auto& bytes : {wrong_kind, broken}) {
    stub_directory directory;
    use(directory);
    auto one = open_ready();
    directory.disturb(operation::search, {.raw = bytes});
    const auto read = perform(one, find_user());
    BOOST_REQUIRE(reaches_event(kind::closed));
    BOOST_TEST(read->done());
    BOOST_TEST(cause().message.find("broke the protocol") != std::string::npos, cause().message);
    remove(one);
  }
}

BOOST_FIXTURE_TEST_CASE(never_returns_half_a_result, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.set_entries({entry{"cn=1", {}}, entry{"cn=2", {}}, entry{"cn=3", {}}});
  directory.disturb(operation::search, {.entries = 2, .then = ending::reset});
  const auto read = perform(one, find_user());
  BOOST_REQUIRE(reaches([&] { return read->done(); }));
  BOOST_TEST(!read->ok());
  BOOST_TEST(seen->redispatches.size() == 1u);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(does_not_wait_for_its_own_check_when_it_drains, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.disturb_all({.silent = true});
  const auto check = start<probe_report>(one, check_atom_v, now() + seconds{30});
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::search) == 1; }));
  tell(one, drain_atom_v);
  BOOST_TEST(reaches_event(kind::closed));
  BOOST_REQUIRE(check->done());
  BOOST_TEST(!check->value->ok);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(a_goodbye_on_an_idle_connection_is_no_failure, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.notice_of_disconnection();
  BOOST_REQUIRE(reaches_event(kind::closed));
  BOOST_TEST(seen->reports.empty());
  BOOST_TEST(seen->suspicions == 0);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(a_goodbye_in_place_of_answers_is_one_failure_that_tells_what_the_server_said, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.disturb(operation::search, {.silent = true});
  directory.disturb(operation::modify, {.silent = true});
  const auto read = perform(one, find_user());
  const auto write = perform(one, change_mail());
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::modify) == 1; }));
  const auto carried = load->completed.load();
  directory.notice_of_disconnection();
  BOOST_REQUIRE(reaches_event(kind::closed));
  BOOST_TEST(read->done());
  BOOST_TEST((write->code() == errc::outcome_unknown));
  BOOST_TEST(write->error->cause.find("announced that it closes") != std::string::npos, describe(*write->error));
  BOOST_REQUIRE(seen->reports.size() == 1u);
  BOOST_TEST((seen->reports[0].failed == failure_class::transport));
  BOOST_TEST(seen->reports[0].open_since.has_value());
  BOOST_TEST(describe(*seen->reports[0].cause).find("announced that it closes") != std::string::npos);
  // For its pool it was of no use.
  BOOST_TEST(load->completed.load() == carried);
  remove(one);
}

/// However little time its caller gives it.
BOOST_FIXTURE_TEST_CASE(a_write_that_expires_behind_a_goodbye_is_a_failure_too, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.disturb(operation::modify, {.silent = true});
  const auto write = perform(one, change_mail(), milliseconds{300});
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::modify) == 1; }));
  directory.send_to_all(encode_notice_of_disconnection(52, "going down"));
  BOOST_REQUIRE(reaches_event(kind::draining));
  advance(milliseconds{300});
  BOOST_REQUIRE(reaches([&] { return write->done(); }));
  BOOST_TEST((write->code() == errc::outcome_unknown));
  BOOST_TEST(write->error->cause.find("announced that it closes") != std::string::npos, describe(*write->error));
  BOOST_REQUIRE(reaches_event(kind::closed));
  BOOST_TEST(cause().diagnostic == "going down");
  BOOST_REQUIRE(seen->reports.size() == 1u);
  BOOST_TEST((seen->reports[0].failed == failure_class::transport));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(a_write_that_is_answered_behind_a_goodbye_is_no_failure, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.disturb(operation::modify, {.delay = milliseconds{50}});
  const auto write = perform(one, change_mail());
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::modify) == 1; }));
  directory.send_to_all(encode_notice_of_disconnection(52, "going down"));
  BOOST_REQUIRE(reaches_event(kind::closed));
  BOOST_TEST(write->ok());
  for (const auto& report : seen->reports) BOOST_TEST(!report.failed.has_value());
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(drains_and_gives_up_what_a_goodbye_leaves_unanswered, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.disturb(operation::search, {.silent = true});
  const auto read = perform(one, find_user());
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::search) == 1; }));
  directory.notice_of_disconnection();
  BOOST_REQUIRE(reaches_event(kind::closed));
  BOOST_REQUIRE(seen->events.size() == 3u);
  BOOST_TEST((seen->events[1].what == kind::draining));
  BOOST_TEST(read->done());
  BOOST_TEST(seen->redispatches.size() == 1u);
  BOOST_TEST(metrics->protocol_errors() == 0u);
  remove(one);
}

/// RFC 4511, 4.4.1: the session is over, whether the server closes its end or not.
BOOST_FIXTURE_TEST_CASE(waits_for_no_answer_behind_a_goodbye, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.on(operation::search, reply{{}, {.raw = encode_notice_of_disconnection(52, "going down")}});
  const auto read = perform(one, find_user());
  BOOST_REQUIRE(reaches([&] { return read->done(); }));
  BOOST_TEST(seen->redispatches.size() == 1u);
  BOOST_REQUIRE(reaches_event(kind::closed));
  BOOST_REQUIRE(seen->reports.size() == 1u);
  BOOST_TEST(seen->reports[0].cause->diagnostic == "going down");
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(gives_a_write_a_second_to_be_answered_behind_a_goodbye, connection_rig) {
  stub_directory directory;
  use(directory);
  for (const bool answered : {true, false}) {
    auto one = open_ready();
    directory.disturb(operation::modify, {.silent = !answered, .delay = milliseconds{50}});
    const auto before = directory.count(operation::modify);
    const auto write = perform(one, change_mail());
    BOOST_REQUIRE(reaches([&] { return directory.count(operation::modify) > before; }));
    directory.send_to_all(encode_notice_of_disconnection(52, "going down"));
    BOOST_REQUIRE(reaches_event(kind::draining));
    if (!answered) advance(seconds{1});
    BOOST_REQUIRE(reaches([&] { return write->done(); }));
    BOOST_TEST((answered ? write->ok() : write->code() == errc::outcome_unknown));
    BOOST_REQUIRE(reaches_event(kind::closed));
    BOOST_TEST(seen->redispatches.empty());
    remove(one);
    seen->events.clear();
  }
}

BOOST_FIXTURE_TEST_CASE(a_goodbye_in_place_of_the_answer_to_a_bind_is_a_failed_connect, connection_rig) {
  stub_directory directory;
  use(directory);
  directory.on(operation::bind, reply{{}, {.raw = encode_notice_of_disconnection(52, "no room")}});
  auto one = open();
  BOOST_REQUIRE(reaches_event(kind::failed));
  BOOST_TEST((cause().code == errc::connection_failed));
  BOOST_TEST(cause().message.find("announced that it closes") != std::string::npos, cause().message);
  BOOST_TEST(cause().message.find("..") == std::string::npos, cause().message);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(a_goodbye_of_many_words_is_quoted_in_few, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  const std::string words(900'000, 'x');
  directory.on(operation::search, reply{{}, {.raw = encode_notice_of_disconnection(52, words)}});
  const auto read = perform(one, find_user());
  BOOST_REQUIRE(reaches([&] { return read->done(); }));
  BOOST_REQUIRE(reaches_event(kind::closed));
  BOOST_TEST(cause().message.size() < 1'000u);
  BOOST_TEST(cause().message.find("x… (900000 bytes)") != std::string::npos);
  // As it came for programs.
  BOOST_TEST(cause().diagnostic.size() == words.size());
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(finishes_what_runs_before_it_closes, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.pause();
  const auto running = perform(one, find_user());
  settle();
  tell(one, drain_atom_v);
  BOOST_TEST(status(one).state == "draining");
  const auto late = perform(one, find_user());
  run();
  BOOST_TEST((late->code() == errc::no_server));  // redispatched, not refused
  BOOST_TEST(seen->events.size() == 1u);
  directory.resume();
  BOOST_REQUIRE(reaches_event(kind::closed));
  BOOST_TEST(running->ok());
  BOOST_TEST(seen->events.back().cause == nullptr);
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::unbind) == 1; }));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(ends_when_an_abandoned_search_goes_on_although_others_wait_for_answers, connection_rig) {
  all.limits.max_result_bytes = 1024 * 1024;
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  entry large;
  large.dn = "cn=large";
  large.attributes = {{"description", {std::string(100'000, 'x')}}};
  constexpr std::size_t more_than_twice_16_mib = 350;
  directory.set_entries(std::vector<entry>(more_than_twice_16_mib, large));
  directory.disturb(operation::search, {.silent = true});
  directory.disturb(operation::search, {.after_abandon = true, .entries = more_than_twice_16_mib}, 1);
  const auto given_up = perform(one, find_user(), milliseconds{500});
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::search) == 1; }));
  const auto other = perform(one, find_user(2));
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::search) == 2; }));
  advance(milliseconds{500});
  BOOST_TEST((given_up->code() == errc::operation_timeout));
  BOOST_REQUIRE(reaches_event(kind::closed));
  BOOST_TEST(cause().message.find("went on and on") != std::string::npos, cause().message);
  BOOST_TEST((other->code() == errc::no_server));  // redispatched
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(closes_at_once_when_told, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.disturb_all({.silent = true});
  const auto read = perform(one, find_user());
  const auto write = perform(one, change_mail());
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::modify) == 1; }));
  tell(one, close_atom_v);
  BOOST_TEST((seen->events.back().what == kind::closed));
  BOOST_TEST(seen->events.back().cause == nullptr);
  BOOST_TEST(seen->redispatches.size() == 1u);
  BOOST_TEST((write->code() == errc::outcome_unknown));
  BOOST_TEST(seen->reports.empty());
  BOOST_REQUIRE(reaches([&] { return directory.open_connections() == 0; }));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(answers_everyone_when_its_actor_is_killed, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.disturb_all({.silent = true});
  const auto read = perform(one, find_user());
  const auto write = perform(one, change_mail());
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::modify) == 1; }));
  kill(one);
  BOOST_TEST(read->done());
  BOOST_TEST((write->code() == errc::outcome_unknown));
  BOOST_TEST(poller->registrations() == 0u);
  BOOST_TEST(poller->timers() == 0u);
}

BOOST_FIXTURE_TEST_CASE(what_meets_a_defect_is_taken_in_all_the_same, connection_rig) {
  stub_directory directory;
  use(directory);
  seen->hold_credentials = true;
  auto one = open();
  BOOST_REQUIRE(reaches([&] { return seen->waiting.size() == 1u; }));
  clock->fail_once();
  give_credentials();
  BOOST_REQUIRE(!seen->events.empty());
  BOOST_TEST((cause().code == errc::internal));
  // The credential was given: whether it was used is told, and nobody waits for it any more.
  BOOST_TEST(seen->verdicts.size() == 1u);
  remove(one);

  seen->hold_credentials = false;
  auto other = open_ready();
  const auto question = order(find_user());
  clock->fail_once();
  const auto asked = perform(other, question);
  run();
  BOOST_TEST_REQUIRE(asked->done());
  BOOST_TEST(!asked->ok());
  remove(other);
}
