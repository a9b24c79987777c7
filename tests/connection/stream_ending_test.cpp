// Every way in which a streaming search ends: exactly one outcome, after all that came of it, and a connection that is
// clean.
#include "stream_rig.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;
using kind = connection_event::kind;

BOOST_FIXTURE_TEST_CASE(the_deadline_holds_while_the_consumer_takes_its_time, stream_rig) {
  directory.set_entries(people(20000, 500));
  const auto r = paused(10, 10s);
  advance(10s);
  BOOST_TEST((r->end.code() == errc::operation_timeout));
  BOOST_TEST(r->ends == 1u);
  BOOST_TEST(r->entries.size() == 10u);
  BOOST_TEST(failures_reported() == 0u);
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::abandon) == 1; }));
  // What the server still sends is read and dropped; then the connection is as good as ever.
  directory.set_entries(stub_directory::generator{});
  BOOST_TEST(leased(find_user()).ok());
  BOOST_TEST(r->entries.size() == 10u);
  grant(10);
  BOOST_TEST(r->late == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_stream_is_abandoned_and_the_lease_goes_on, stream_rig) {
  directory.set_entries(people(20000, 500));
  auto what = order(everybody());
  const auto r = stream(what, 10);
  BOOST_REQUIRE(reaches([&] { return r->entries.size() == 10; }));
  tell(one, cancel_atom_v, what.token);
  BOOST_TEST((r->end.code() == errc::cancelled));
  directory.set_entries(stub_directory::generator{});
  const auto found = leased(find_user());
  BOOST_TEST(found.ok());
  BOOST_TEST(directory.count(operation::abandon) == 1u);
  BOOST_TEST(directory.connections() == 1u);
  check_in_order(*r, 10);
}

BOOST_FIXTURE_TEST_CASE(the_leases_end_is_the_streams, stream_rig) {
  directory.set_entries(people(20000, 500));
  const auto r = paused(10);
  tell(one, reset_atom_v, mine);
  BOOST_TEST((r->end.code() == errc::invalid_lease));
  BOOST_TEST((seen->events.back().what == kind::ready));
  directory.set_entries(stub_directory::generator{});
  BOOST_TEST(outcome(one, find_user()).ok());
  BOOST_TEST(directory.connections() == 1u);
  check_in_order(*r, 10);
}

BOOST_FIXTURE_TEST_CASE(a_consumer_that_ends_takes_its_stream_along, stream_rig) {
  directory.set_entries(people(20000, 500));
  const auto r = paused(10);
  kill(r->who);
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::abandon) == 1; }));
  directory.set_entries(stub_directory::generator{});
  BOOST_TEST(leased(find_user()).ok());
  BOOST_TEST(status(one).in_flight == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_breaks_in_a_stream_says_so_and_how_far_it_came, stream_rig) {
  directory.set_entries(people(50));
  directory.disturb(operation::search, {.entries = 20, .then = ending::close});
  const auto r = stream(everybody(), 100);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST((r->end.code() == errc::connection_unhealthy));
  BOOST_TEST(r->end.error->message.find("after 20 entries") != std::string::npos, r->end.error->message);
  check_in_order(*r, 20);
  BOOST_TEST(seen->redispatches.empty());
  BOOST_TEST((seen->events.back().what == kind::closed));
  const auto later = stream(everybody(), 100);
  run();
  BOOST_TEST((later->end.code() == errc::connection_unhealthy));
  BOOST_TEST(seen->redispatches.empty());
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_breaks_behind_a_paused_stream_says_so, stream_rig) {
  directory.set_entries(people(50));
  directory.disturb(operation::search, {.entries = 20, .then = ending::reset});
  const auto r = paused(5);
  grant(100);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST((r->end.code() == errc::connection_unhealthy));
  BOOST_TEST(r->entries.size() <= 20u);
  check_in_order(*r, r->entries.size());
}

BOOST_FIXTURE_TEST_CASE(what_came_before_garbage_is_delivered_before_the_error, stream_rig) {
  directory.on(operation::search, [](const directory_request& request) {
    directory_answer answer;
    answer.entries = people(3);
    auto messages = encode_answer(operation::search, request.id, answer);
    messages.back() = "no LDAP message";
    std::string bytes;
    for (const auto& m : messages) bytes += m;
    return reply{{}, {.raw = bytes}};
  });
  const auto r = stream(everybody(), 100);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST((r->end.code() == errc::connection_unhealthy));
  check_in_order(*r, 3);
  BOOST_TEST(metrics->protocol_errors() == 1u);
}

BOOST_FIXTURE_TEST_CASE(limits_of_the_server_end_a_stream_after_its_entries, stream_rig) {
  for (const int code : {result_code::size_limit_exceeded, result_code::time_limit_exceeded}) {
    directory.on(
        operation::search,
        [&](const directory_request& request) {
          auto usual = directory.usual(request);
          usual.what.entries = people(5);
          usual.what.code = code;
          return usual;
        },
        1);
    const auto r = stream(everybody(), 100);
    BOOST_REQUIRE(reaches([&] { return r->done(); }));
    BOOST_TEST((r->end.code() == errc::ldap_error));
    BOOST_TEST(r->end.error->ldap_code == code);
    BOOST_TEST((r->end.error->partial == nullptr), "they were delivered already");
    check_in_order(*r, 5);
  }
}

BOOST_FIXTURE_TEST_CASE(a_stream_waits_until_nothing_else_is_under_way, stream_rig) {
  const auto hold = directory.disturb(operation::modify, {.silent = true});
  const auto before = perform_leased(one, mine, change_mail());
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::modify) == 1; }));
  const auto late = stream(everybody(), 100, 2s);
  run();
  BOOST_TEST(!late->done());
  BOOST_TEST(directory.count(operation::search) == 0u);
  BOOST_TEST((leased(find_user()).code() == errc::invalid_request));
  advance(2s);
  BOOST_TEST((late->end.code() == errc::operation_timeout));
  const auto gone = stream(everybody(), 100, 20s);
  run();
  kill(gone->who);
  const auto ended = stream(everybody(), 100, 20s);
  run();
  directory.forget(hold);
  directory.close_all();
  BOOST_REQUIRE(reaches([&] { return before->done() && ended->done(); }));
  BOOST_TEST((ended->end.code() == errc::connection_unhealthy));
  BOOST_TEST(directory.count(operation::search) == 0u);
  BOOST_TEST(seen->redispatches.empty());
}

BOOST_FIXTURE_TEST_CASE(streams_that_make_no_sense_are_refused, stream_rig) {
  const auto no_search = stream(change_mail(), 10);
  const auto no_lease = stream(everybody(), 10, 30s, 0);
  const auto not_mine = stream(everybody(), 10, 30s, 99);
  search_request bad;
  bad.filter = "(uid=";
  const auto malformed = stream(make_request(bad), 10);
  tell(one, stream_atom_v, mine, order(everybody()), my_number, std::uint32_t{10});  // without a sender
  BOOST_TEST((no_search->end.code() == errc::invalid_request));
  BOOST_TEST((no_lease->end.code() == errc::invalid_lease));
  BOOST_TEST((not_mine->end.code() == errc::invalid_lease));
  BOOST_TEST((malformed->end.code() == errc::invalid_request));
  BOOST_TEST(directory.count(operation::search) == 0u);
  BOOST_TEST(leased(find_user()).ok());
}

BOOST_FIXTURE_TEST_CASE(a_draining_connection_lets_its_stream_finish, stream_rig) {
  directory.set_entries(people(100));
  const auto r = paused(10);
  tell(one, drain_atom_v);
  grant(1000);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST(r->end.ok());
  tell(one, reset_atom_v, mine);
  BOOST_TEST((seen->events.back().what == kind::closed));
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_is_closed_ends_its_stream, stream_rig) {
  directory.set_entries(people(100));
  const auto r = paused(10);
  tell(one, close_atom_v);
  BOOST_TEST((r->end.code() == errc::connection_unhealthy));
  BOOST_TEST(r->ends == 1u);
}
