// The stub directory: every way to behave and misbehave, as seen by a bare client.
#include "support/stub_directory.hpp"
#include "support/raw_client.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy::test;
using namespace std::chrono_literals;
namespace result_code = understudy::result_code;

namespace {

constexpr const char* base = "dc=example,dc=com";
constexpr auto a_moment = 50ms;
constexpr std::size_t size_of_an_answer = 14;  // to a bind that is accepted

raw_answer ask(raw_client& client, const std::string& message) {
  client.send(message);
  return decode_answer(client.read_message());
}

reply coded(int code) {
  reply r;
  r.what.code = code;
  return r;
}

}  // namespace

BOOST_AUTO_TEST_CASE(stub_answers_every_operation_and_counts) {
  stub_directory stub;
  raw_client client(stub.port());
  BOOST_TEST(ask(client, bind_message(1, "cn=service", "hush")).code == 0);
  client.send(search_message(2, base, "anna"));
  BOOST_TEST(decode_answer(client.read_message()).dn == "uid=anna,ou=people,dc=example,dc=com");
  const auto done = decode_answer(client.read_message());
  BOOST_TEST(done.id == 2);
  BOOST_TEST(done.tag == 0x65);
  BOOST_TEST(ask(client, compare_message(3, base, "o", "x")).code == result_code::compare_true);
  BOOST_TEST(ask(client, replace_message(4, base, "o", "x")).code == 0);
  BOOST_TEST(ask(client, extended_message(5, "1.2.3")).code == result_code::protocol_error);
  client.send(extended_message(6, whoami_oid));
  BOOST_TEST(client.read_message().find("dn:cn=service") != std::string::npos);
  BOOST_TEST(stub.count(operation::search) == 1u);
  BOOST_TEST(stub.count(operation::whoami) == 1u);
  BOOST_TEST(stub.requests().size() == 6u);
  BOOST_TEST(stub.requests(operation::search).at(0).filter == "(uid=anna)");
  BOOST_TEST(stub.requests(operation::modify).at(0).changes.at(0).target.values.at(0) == "x");
  BOOST_TEST(stub.binds().at(0).dn == "cn=service");
  BOOST_TEST(stub.saw_in_clear("hush"));
  BOOST_TEST(!stub.saw_in_clear("hushed"));
  BOOST_TEST(stub.identities().begin()->second == "cn=service");
  client.send(unbind_message(7));
  client.read_some();
  BOOST_TEST((client.last() == read_end::end_of_stream));
}

BOOST_AUTO_TEST_CASE(stub_binds_by_password) {
  stub_options with;
  with.passwords = {{"cn=service", "right"}};
  stub_directory stub(with);
  raw_client client(stub.port());
  BOOST_TEST(ask(client, bind_message(1, "cn=service", "right")).code == 0);
  BOOST_TEST(ask(client, bind_message(2, "cn=service", "wrong")).code == result_code::invalid_credentials);
  BOOST_TEST(stub.identities().begin()->second == "");
  BOOST_TEST(ask(client, bind_message(3, "", "")).code == 0);
  stub.set_passwords({{"cn=service", "wrong"}});
  BOOST_TEST(ask(client, bind_message(4, "cn=service", "wrong")).code == 0);
  BOOST_TEST(stub.binds().size() == 4u);
  BOOST_TEST(stub.binds()[1].code == result_code::invalid_credentials);
}

BOOST_AUTO_TEST_CASE(rules_hold_for_their_number_of_requests_newest_first) {
  stub_directory stub;
  stub.on(operation::compare, coded(51));
  stub.on(operation::compare, coded(52), 2);
  raw_client client(stub.port());
  const std::string compare = compare_message(1, base, "o", "x");
  BOOST_TEST(ask(client, compare).code == 52);
  BOOST_TEST(ask(client, compare).code == 52);
  BOOST_TEST(ask(client, compare).code == 51);
  stub.forget_rules();
  BOOST_TEST(ask(client, compare).code == 6);
}

BOOST_AUTO_TEST_CASE(a_muted_operation_leaves_others_alone) {
  stub_directory stub;
  stub.disturb(operation::compare, {.silent = true});
  raw_client client(stub.port());
  client.send(compare_message(1, base, "o", "x"));
  BOOST_TEST(ask(client, bind_message(2, "", "")).id == 2);
}

BOOST_AUTO_TEST_CASE(a_delayed_answer_comes_later_than_an_undelayed_one) {
  stub_directory stub;
  stub.disturb(operation::compare, {.delay = 30ms});
  raw_client client(stub.port());
  client.send(compare_message(1, base, "o", "x") + bind_message(2, "", ""));
  BOOST_TEST(decode_answer(client.read_message()).id == 2);
  BOOST_TEST(decode_answer(client.read_message()).id == 1);
}

BOOST_AUTO_TEST_CASE(slices_arrive_one_by_one_and_whole) {
  stub_directory stub;
  const std::string large(10'000, 'x');
  stub.set_entries({{"cn=large", {{"description", {large}}}}});
  stub.disturb(operation::search, {.slice = 1});
  raw_client client(stub.port());
  client.send(search_message(1, base, "anna"));
  BOOST_TEST(client.read_some().size() < large.size());
  raw_client other(stub.port());
  other.send(search_message(1, base, "anna"));
  BOOST_TEST(other.read_message().size() > large.size());
  BOOST_TEST(decode_answer(other.read_message()).code == 0);
}

BOOST_AUTO_TEST_CASE(half_an_answer_is_all_that_comes) {
  stub_directory stub;
  stub.disturb(operation::compare, {.half = true});
  raw_client client(stub.port());
  client.send(compare_message(1, base, "o", "x"));
  const std::string part = client.read_some();
  BOOST_TEST(part.size() == 7u);
  client.send(bind_message(2, "", ""));
  BOOST_TEST(client.read_some(a_moment) == "");
  BOOST_TEST((client.last() == read_end::nothing));
}

BOOST_AUTO_TEST_CASE(held_answers_come_in_one_piece) {
  stub_directory stub;
  stub.disturb(operation::compare, {.hold = true}, 2);
  raw_client client(stub.port());
  client.send(compare_message(1, base, "o", "x") + compare_message(2, base, "o", "x"));
  BOOST_TEST(client.read_some(a_moment) == "");
  client.send(compare_message(3, base, "o", "x"));
  BOOST_TEST(client.read_some().size() == 3 * 14u);
}

BOOST_AUTO_TEST_CASE(a_result_is_cut_off_after_some_entries) {
  stub_directory stub;
  stub.set_entries({{"cn=1", {}}, {"cn=2", {}}, {"cn=3", {}}});
  stub.disturb(operation::search, {.entries = 2, .then = ending::reset});
  raw_client client(stub.port());
  client.send(search_message(1, base, "x"));
  BOOST_TEST(decode_answer(client.read_message()).dn == "cn=1");
  BOOST_TEST(decode_answer(client.read_message()).dn == "cn=2");
  BOOST_TEST(client.read_message() == "");
  BOOST_TEST((client.last() == read_end::reset));
}

BOOST_AUTO_TEST_CASE(a_connection_is_reset_or_closed_in_place_of_an_answer) {
  stub_directory stub;
  stub.disturb(operation::compare, {.silent = true, .then = ending::reset}, 1);
  stub.disturb(operation::search, {.silent = true, .then = ending::close}, 1);
  raw_client first(stub.port()), second(stub.port());
  first.send(compare_message(1, base, "o", "x"));
  first.read_some();
  BOOST_TEST((first.last() == read_end::reset));
  second.send(search_message(1, base, "x"));
  second.read_some();
  BOOST_TEST((second.last() == read_end::end_of_stream));
}

BOOST_AUTO_TEST_CASE(referrals_diagnostics_and_controls_are_answered) {
  stub_directory stub;
  reply r;
  r.what.code = result_code::referral;
  r.what.diagnostic = "elsewhere";
  r.what.referrals = {"ldap://other.example.com/"};
  r.what.controls = {{"1.2.3.4", true, "value"}};
  stub.on(operation::modify, r);
  raw_client client(stub.port());
  client.send(replace_message(1, base, "o", "x"));
  const std::string message = client.read_message();
  BOOST_TEST(decode_answer(message).diagnostic == "elsewhere");
  BOOST_TEST(message.find("ldap://other.example.com/") != std::string::npos);
  BOOST_TEST(message.find("1.2.3.4") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(wrong_ids_and_raw_bytes_are_sent_as_told) {
  stub_directory stub;
  stub.disturb(operation::compare, {.id = 4711}, 1);
  raw_client client(stub.port());
  BOOST_TEST(ask(client, compare_message(1, base, "o", "x")).id == 4711);
  stub.disturb(operation::compare, {.raw = "\x30\x84\x7f\xff\xff\xff"}, 1);
  client.send(compare_message(2, base, "o", "x"));
  BOOST_TEST(client.read_some().size() == 6u);
}

BOOST_AUTO_TEST_CASE(an_abandoned_request_is_answered_late) {
  stub_directory stub;
  stub.disturb(operation::search, {.after_abandon = true});
  raw_client client(stub.port());
  client.send(search_message(1, base, "x"));
  BOOST_TEST(client.read_some(a_moment) == "");
  client.send(abandon_message(2, 1));
  BOOST_TEST(decode_answer(client.read_message()).id == 1);
  BOOST_TEST(stub.count(operation::abandon) == 1u);
  BOOST_TEST(stub.requests(operation::abandon).at(0).abandoned == 1);
}

BOOST_AUTO_TEST_CASE(the_stub_says_goodbye) {
  stub_directory stub;
  raw_client client(stub.port());
  BOOST_TEST(ask(client, bind_message(1, "", "")).code == 0);
  stub.notice_of_disconnection();
  const std::string message = client.read_message();
  BOOST_TEST(decode_answer(message).id == 0);
  BOOST_TEST(decode_answer(message).code == 52);
  BOOST_TEST(message.find(notice_of_disconnection_oid) != std::string::npos);
  BOOST_TEST(client.read_message() == "");
  BOOST_TEST((client.last() == read_end::end_of_stream));
}

BOOST_AUTO_TEST_CASE(garbage_from_a_client_is_counted_and_ends_its_connection) {
  stub_directory stub;
  raw_client client(stub.port());
  client.send("GET / HTTP/1.0\r\n\r\n");
  client.read_some();
  BOOST_TEST((client.last() == read_end::end_of_stream));
  BOOST_TEST(stub.protocol_errors() == 1u);
}

BOOST_AUTO_TEST_CASE(a_stopped_stub_refuses_and_comes_back_on_its_port) {
  stub_directory stub;
  raw_client before(stub.port());
  BOOST_TEST(ask(before, bind_message(1, "", "")).code == 0);
  stub.stop();
  BOOST_TEST(before.read_some() == "");
  BOOST_TEST(stub.open_connections() == 0u);
  raw_client refused(stub.port());
  BOOST_TEST(!refused.connected());
  BOOST_TEST(refused.connect_error() == ECONNREFUSED);
  stub.start();
  raw_client after(stub.port());
  BOOST_TEST(ask(after, bind_message(1, "", "")).code == 0);
  BOOST_TEST(stub.connections() == 2u);
}

BOOST_AUTO_TEST_CASE(a_full_backlog_leaves_connects_unanswered) {
  stub_directory stub;
  raw_client open(stub.port());
  BOOST_TEST(ask(open, bind_message(1, "", "")).code == 0);
  stub.ignore_connects();
  raw_client ignored(stub.port(), a_moment);
  BOOST_TEST(!ignored.connected());
  BOOST_TEST(ignored.connect_error() == 0);
  BOOST_TEST(ask(open, bind_message(2, "", "")).code == 0);
  stub.start();
  raw_client after(stub.port());
  BOOST_TEST(ask(after, bind_message(1, "", "")).code == 0);
  BOOST_TEST(eventually([&] { return stub.connections() == 2; }));
}

BOOST_AUTO_TEST_CASE(a_paused_stub_answers_once_resumed) {
  stub_directory stub;
  raw_client client(stub.port());
  BOOST_TEST(ask(client, bind_message(1, "", "")).code == 0);
  stub.pause();
  client.send(bind_message(2, "", ""));
  raw_client late(stub.port());
  BOOST_TEST(late.connected());
  late.send(bind_message(1, "", ""));
  BOOST_TEST(client.read_some(a_moment) == "");
  BOOST_TEST(stub.count(operation::bind) == 1u);
  stub.resume();
  BOOST_TEST(decode_answer(client.read_message()).id == 2);
  BOOST_TEST(decode_answer(late.read_message()).id == 1);
}

BOOST_AUTO_TEST_CASE(newcomers_and_all_connections_are_reset_on_demand) {
  stub_directory stub;
  raw_client client(stub.port());
  BOOST_TEST(ask(client, bind_message(1, "", "")).code == 0);
  stub.reset_newcomers(true);
  raw_client newcomer(stub.port());
  if (newcomer.connected()) newcomer.read_some();
  // The reset may be there before the connect is looked at.
  BOOST_TEST((newcomer.last() == read_end::reset || newcomer.connect_error() == ECONNRESET));
  BOOST_TEST(ask(client, bind_message(2, "", "")).code == 0);
  stub.reset_all();
  client.read_some();
  BOOST_TEST((client.last() == read_end::reset));
  BOOST_TEST(stub.open_connections() == 0u);
}

BOOST_AUTO_TEST_CASE(newcomers_beyond_a_limit_are_ended_and_the_rest_served) {
  stub_directory stub;
  stub.limit_connections(1);
  raw_client client(stub.port());
  BOOST_TEST(ask(client, bind_message(1, "", "")).code == 0);
  raw_client newcomer(stub.port());
  newcomer.read_some();
  BOOST_TEST((newcomer.last() == read_end::end_of_stream));
  BOOST_TEST(ask(client, bind_message(2, "", "")).code == 0);
  stub.limit_connections({});
  raw_client after(stub.port());
  BOOST_TEST(ask(after, bind_message(1, "", "")).code == 0);
}

BOOST_AUTO_TEST_CASE(a_pace_lets_one_byte_out_at_a_time) {
  stub_directory stub;
  raw_client client(stub.port());
  stub.set_pace(200);
  const auto began = std::chrono::steady_clock::now();
  client.send(bind_message(1, "", ""));
  std::string answer;
  while (answer.size() < size_of_an_answer) {
    const auto some = client.read_some();
    BOOST_TEST_REQUIRE(!some.empty());
    answer += some;
  }
  BOOST_TEST(decode_answer(answer).id == 1);
  // The first byte does not wait.
  BOOST_TEST((std::chrono::steady_clock::now() - began >= (size_of_an_answer - 1) * 5ms));
  stub.set_pace(1);
  client.send(bind_message(2, "", ""));
  BOOST_TEST(client.read_some().size() == 1u);
  stub.set_pace(0);
  BOOST_TEST(client.read_some().size() == size_of_an_answer - 1);
}

BOOST_AUTO_TEST_CASE(large_answers_and_requests_pass) {
  stub_directory stub;
  const std::string large(5u << 20, 'x');
  stub.set_entries({{"cn=large", {{"description", {large}}}}});
  raw_client client(stub.port());
  client.send(search_message(1, base, large));
  const std::string entry = client.read_message();
  BOOST_TEST(entry.size() > large.size());
  BOOST_TEST(decode_answer(client.read_message()).code == 0);
  BOOST_TEST(stub.requests().at(0).filter.size() == large.size() + 6);
}

BOOST_AUTO_TEST_CASE(thousands_of_pipelined_requests_are_all_answered) {
  stub_directory stub;
  raw_client client(stub.port());
  std::string requests;
  for (int i = 1; i <= 5000; ++i) requests += compare_message(i, base, "o", "x");
  client.send(requests);
  for (int i = 1; i <= 5000; ++i) BOOST_REQUIRE(decode_answer(client.read_message()).id == i);
  BOOST_TEST(stub.count(operation::compare) == 5000u);
}

BOOST_AUTO_TEST_CASE(what_is_sent_into_the_dark_is_lost_until_the_end) {
  stub_directory stub;
  raw_client before(stub.port());
  BOOST_TEST(ask(before, bind_message(1, "cn=service", "x")).code == 0);
  stub.go_dark();
  before.send(bind_message(2, "cn=service", "x"));
  before.read_some(a_moment);
  BOOST_TEST((before.last() == read_end::nothing));
  raw_client after(stub.port());
  BOOST_TEST(ask(after, bind_message(1, "cn=other", "x")).code == 0);
  BOOST_TEST(stub.count(operation::bind) == 2u);
  BOOST_TEST(stub.open_connections() == 2u);
  stub.end_dark();
  before.read_some();
  BOOST_TEST((before.last() == read_end::reset));
  BOOST_TEST(ask(after, bind_message(2, "cn=other", "x")).code == 0);
  BOOST_TEST(stub.open_connections() == 1u);
  const auto arrivals = stub.arrivals();
  BOOST_TEST_REQUIRE(arrivals.size() == 2u);
  BOOST_TEST((arrivals[0] <= arrivals[1]));
}
