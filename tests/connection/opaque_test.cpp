// Operations that are handed on as bytes: ids changed both ways, the rest as it came.
#include "rig.hpp"
#include "support/ber.hpp"
#include "support/ldap_wire.hpp"
#include "support/relayed.hpp"
#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/actors/connection/pdu_framer.hpp"
#include "understudy/actors/connection/request_check.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

constexpr int asker_id = 70'000;

request_ptr relayed(const search_request& search, const std::vector<control>& controls = {}) {
  return test::relayed(search, asker_id, controls);
}

search_request user_search() {
  search_request what;
  what.base = "ou=people,dc=example,dc=com";
  what.filter = "(uid=user4)";
  what.attributes = {"mail"};
  return what;
}

request_ptr relayed(std::uint8_t tag, const std::string& content) {
  opaque_request opaque;
  opaque.protocol_op = ber(tag, content);
  opaque.message_id = asker_id;
  return make_request(std::move(opaque));
}

std::string octets(const std::string& bytes) { return ber(0x04, bytes); }

request_ptr relayed_compare() {
  return relayed(opaque_request::compare,
                 octets("uid=user1,ou=people,dc=example,dc=com") + ber(0x30, octets("mail") + octets("a")));
}

request_ptr relayed_delete() { return relayed(opaque_request::remove, "cn=x"); }

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_relayed_search_and_its_answers_keep_all_but_the_message_id, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  auto what = user_search();
  what.size_limit = 3;
  const auto found = outcome(one, relayed(what, {control{"1.2.3", false, "v"}}));
  BOOST_REQUIRE(found.ok());
  const auto& answer = **found.value;
  BOOST_TEST(answer.code == result_code::success);
  BOOST_TEST(answer.entries.empty());
  const auto frames = frames_of(answer.messages);
  BOOST_REQUIRE(frames.size() == 2u);
  BOOST_TEST(frames[0].id == asker_id);
  BOOST_TEST(frames[0].op == pdu_op::search_entry);
  BOOST_TEST(frames[1].id == asker_id);
  BOOST_TEST(frames[1].op == pdu_op::search_done);
  result decoded;
  memory_allowance room{100'000};
  BOOST_REQUIRE(decode_search_entry(std::string_view{answer.messages}.substr(0, frames[0].size), decoded, room));
  BOOST_TEST(decoded.entries.at(0).dn == "uid=user4,ou=people,dc=example,dc=com");

  const auto seen_there = directory.requests(operation::search);
  BOOST_REQUIRE(!seen_there.empty());
  const auto& request = seen_there.back();
  BOOST_TEST(request.id != asker_id);
  BOOST_TEST(request.filter == what.filter);
  BOOST_TEST(request.size_limit == 3);
  BOOST_REQUIRE(request.controls.size() == 1u);
  BOOST_TEST(request.controls[0].oid == "1.2.3");
  BOOST_TEST(request.controls[0].value.value() == "v");
}

BOOST_FIXTURE_TEST_CASE(relayed_and_typed_operations_share_a_connection, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  const auto relayed_one = perform(one, relayed(user_search()));
  const auto typed = perform(one, find_user(4));
  const auto compared = perform(one, relayed_compare());
  BOOST_REQUIRE(reaches([&] { return relayed_one->done() && typed->done() && compared->done(); }));
  BOOST_REQUIRE(relayed_one->ok());
  BOOST_REQUIRE(typed->ok());
  BOOST_REQUIRE(compared->ok());
  BOOST_TEST((*typed->value)->entries.size() == 1u);
  BOOST_TEST((*typed->value)->messages.empty());
  BOOST_TEST((*compared->value)->compare_matched());
  BOOST_TEST(frames_of((*compared->value)->messages).at(0).op == pdu_op::compare_response);
}

BOOST_AUTO_TEST_CASE(what_the_server_says_to_a_relayed_operation_is_for_who_asked_but_busy) {
  result into;
  for (const int code : {0, 5, 6, 10, 32, 49, 4096}) {
    const auto pdu =
        ber(0x30, ber_number(0x02, 7) + ber(0x65, ber_number(0x0a, code) + octets("dc=x") + octets("why")));
    memory_allowance room{1000};
    BOOST_TEST(decode_opaque(pdu, 0x65, 9, into, room));
    BOOST_TEST(into.code == code);
  }
  BOOST_TEST(frames_of(into.messages).size() == 7u);
  memory_allowance room{1000};
  for (const auto& pdu : {std::string{}, std::string{"\x30\x00", 2}, ber(0x30, ber_number(0x02, 7)),
                          ber(0x30, ber_number(0x02, 7) + ber(0x65, octets("no code")))})
    BOOST_TEST(!decode_opaque(pdu, 0x65, 9, into, room));
  memory_allowance little{10};
  BOOST_TEST(!decode_opaque(ber(0x30, ber_number(0x02, 7) + ber(0x64, octets("cn=x"))), 0x64, 9, into, little));
  BOOST_TEST(little.exceeded());
}

BOOST_AUTO_TEST_CASE(message_ids_of_every_size_are_changed) {
  for (const int id : {1, 127, 128, 32767, 32768, 1 << 23, 1 << 24, 2147483647})
    for (const std::size_t size : {std::size_t{1}, std::size_t{120}, std::size_t{300}, std::size_t{70'000}}) {
      std::string message;
      const auto rest = ber(0x64, std::string(size, 'x'));
      append_message_head(id, rest.size(), message);
      message += rest;
      const auto frame = frame_pdu(message, message.size());
      BOOST_TEST((frame.state == pdu_frame::status::complete));
      BOOST_TEST(frame.id == id);
      BOOST_TEST(frame.op == 0x64);
      BOOST_TEST(frame.size == message.size());
      BOOST_TEST((behind_message_id(message) == rest));
    }
}

BOOST_FIXTURE_TEST_CASE(a_relayed_write_that_may_have_been_sent_is_unknown_and_a_read_goes_elsewhere, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.disturb(operation::search, {.silent = true}, 1);
  directory.disturb(operation::remove, {.silent = true}, 1);
  const auto read = perform(one, relayed(user_search()));
  const auto removed = perform(one, relayed_delete());
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::remove) == 1; }));
  tell(one, close_atom_v);
  BOOST_REQUIRE(reaches([&] { return read->done() && removed->done(); }));
  BOOST_REQUIRE(removed->error);
  BOOST_TEST((removed->error->code == errc::outcome_unknown));
  BOOST_REQUIRE(seen->redispatches.size() == 1u);
  BOOST_TEST(std::holds_alternative<opaque_request>(seen->redispatches[0].what->op));
}

BOOST_AUTO_TEST_CASE(what_is_about_the_session_is_not_relayed) {
  const std::string start_tls{"1.3.6.1.4.1.1466.20037"};
  for (const auto& refused :
       {relayed(0x60, ber_number(0x02, 3) + octets("cn=x") + ber(0x80, "password")), relayed(0x42, ""),
        relayed(0x50, "\x05"), relayed(opaque_request::extended, ber(0x80, start_tls)),
        relayed(opaque_request::extended, octets("no name")), relayed(0x64, octets("cn=x") + ber(0x30, ""))})
    BOOST_TEST(check_request(*refused) != nullptr);
  opaque_request two;
  two.protocol_op = ber(opaque_request::remove, "cn=x") + ber(opaque_request::remove, "cn=y");
  BOOST_TEST(check_request(*make_request(two)) != nullptr);
  opaque_request odd;
  odd.protocol_op = ber(opaque_request::remove, "cn=x");
  odd.controls = ber(0x30, "");
  BOOST_TEST(check_request(*make_request(odd)) != nullptr);
  odd.controls = ber(0xa0, ber(0x30, octets("1.2.3"))) + "x";
  BOOST_TEST(check_request(*make_request(odd)) != nullptr);
  BOOST_TEST(check_request(*make_request(opaque_request{})) != nullptr);
  BOOST_TEST(!check_request(*relayed_delete()));
  BOOST_TEST(!check_request(*relayed_compare()));
  BOOST_TEST(!check_request(*relayed(opaque_request::extended, ber(0x80, "1.3.6.1.4.1.4203.1.11.3"))));
}

BOOST_AUTO_TEST_CASE(relayed_reads_may_be_repeated_and_everything_else_is_a_write) {
  BOOST_TEST(safe_to_repeat(relayed(user_search())->op));
  BOOST_TEST(!is_write(relayed(user_search())->op));
  BOOST_TEST(safe_to_repeat(relayed_compare()->op));
  BOOST_TEST(!safe_to_repeat(relayed_delete()->op));
  BOOST_TEST(is_write(relayed_delete()->op));
  const auto extended = relayed(opaque_request::extended, ber(0x80, "1.2.3"));
  BOOST_TEST(!safe_to_repeat(extended->op));
  BOOST_TEST(is_write(extended->op));
  BOOST_TEST(describe(relayed_delete()->op) == "relayed delete");
}
