// What crosses between nodes says the same on the other side, and what does not make sense is refused.
#include "understudy/actors/node/frame.hpp"

#include "support/mutation.hpp"
#include "support/property.hpp"
#include "understudy/messages/ber.hpp"
#include "understudy/messages/hex.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

std::string all_bytes() {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  return all;
}

request_frame full_request() {
  request_frame f;
  f.kind = request_kind::password_modify;
  f.number = 71;
  f.left = milliseconds{1500};
  f.lease = std::uint64_t{1} << 40;
  f.target = 9;
  f.flag = f.anew = true;
  f.span = milliseconds{60'000};
  f.protocol_op = std::string(300, 'p');
  f.encoded_controls = all_bytes();
  f.name = "cn=somebody";
  f.value = "";
  f.password = "old";
  f.new_password = all_bytes();
  f.controls = {{"1.2.3", true, "v"}, {"1.2.4", false, {}}};
  f.wish = {"ldap1:389", true};
  return f;
}

answer_frame full_answer() {
  answer_frame f;
  f.kind = answer_kind::outcome;
  f.flag = true;
  f.messages = all_bytes();
  f.server = "ldap1:389";
  f.outcome.code = 5;
  f.outcome.matched_dn = "dc=x";
  f.outcome.diagnostic = "why";
  f.outcome.referrals = {"ldap://a", ""};
  f.outcome.controls = {{"1.3", false, ""}};
  f.outcome.response_oid = "1.4";
  f.outcome.response_value = all_bytes();
  f.grant = {77, 78, 3, {}};
  f.body = std::string(70'000, 'b');
  return f;
}

failure full_failure() {
  failure f;
  f.code = errc::ldap_error;
  f.where = stage::bind;
  f.message = "ldap1:389 refused the add.";
  f.server = "ldap1:389";
  f.ldap_code = 68;
  f.matched_dn = "dc=example";
  f.diagnostic = "it is there";
  f.referrals = {"ldap://other"};
  f.controls = {{"1.2.3", true, "x"}};
  f.retry_after = milliseconds{0};
  f.cause = "because";
  f.cause_code = errc::connection_failed;
  f.cause_at = wall_time{seconds{1'700'000'000}};
  f.pool = pool_counts{1, 2, 3, 4, 5, 6};
  return f;
}

void check_same(const request_frame& a, const request_frame& b) {
  BOOST_TEST((a.kind == b.kind && a.number == b.number && a.left == b.left && a.lease == b.lease));
  BOOST_TEST((a.target == b.target && a.flag == b.flag && a.anew == b.anew && a.span == b.span && a.name == b.name));
  BOOST_TEST((a.protocol_op == b.protocol_op && a.encoded_controls == b.encoded_controls && a.value == b.value));
  BOOST_TEST((a.password == b.password && a.new_password == b.new_password));
  BOOST_TEST((a.wish.server == b.wish.server && a.wish.global_catalog == b.wish.global_catalog));
  BOOST_TEST_REQUIRE(a.controls.size() == b.controls.size());
  for (std::size_t i = 0; i < a.controls.size(); ++i)
    BOOST_TEST((a.controls[i].oid == b.controls[i].oid && a.controls[i].critical == b.controls[i].critical &&
                a.controls[i].value == b.controls[i].value));
}

/// A frame of another version, of which nobody here knows more than that.
std::string of_version(std::int64_t version) {
  return ber_element(ber_tag::sequence, ber_integer(version, 0x80) + ber_integer(2, 0x81) + ber_octets("?", 0x9d));
}

template <class Frame, class Decode>
void check_frames(const Frame& good, Decode decode) {
  check_mutations(encode(good), 11, decode, [](const Frame& frame) { return encode(frame); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_request_crosses_with_all_its_parts) {
  const auto sent = full_request();
  const auto came = decode_request(encode(sent));
  BOOST_TEST_REQUIRE(came.value.has_value());
  check_same(sent, *came.value);
  const auto least = decode_request(encode(request_frame{}));
  BOOST_TEST_REQUIRE(least.value.has_value());
  check_same(request_frame{}, *least.value);
  for (std::size_t i = 0; i < request_kinds; ++i) {
    request_frame one;
    one.kind = static_cast<request_kind>(i);
    const auto back = decode_request(encode(one));
    BOOST_TEST_REQUIRE(back.value.has_value());
    BOOST_TEST((back.value->kind == one.kind));
    BOOST_TEST(to_string(one.kind) != "unknown");
  }
}

/// What version 1 is, for as long as a release understands it: other bytes are another version.
BOOST_AUTO_TEST_CASE(version_1_is_these_bytes) {
  const auto bytes_of = [](std::string digits) {
    std::erase(digits, ' ');
    std::string out;
    for (std::size_t i = 0; i < digits.size(); i += 2) out.push_back(hex_byte(digits.substr(i)).value());
    return out;
  };
  const auto check_bytes = [](const std::string& made, const std::string& expected) {
    std::string digits, expected_digits;
    append_hex(digits, made);
    append_hex(expected_digits, expected);
    BOOST_TEST(digits == expected_digits);
  };
  request_frame hello;
  hello.kind = request_kind::hello;
  hello.left = seconds{3};
  hello.flag = true;
  const auto hello_bytes = bytes_of("300d 800101 810100 83020bb8 860101");
  check_bytes(encode(hello), hello_bytes);
  check_same(hello, decode_request(hello_bytes).value.value());

  request_frame search;
  search.kind = request_kind::operation;
  search.number = 5;
  search.left = seconds{10};
  search.lease = 7;
  search.protocol_op = bytes_of("6324 040464633d78 0a0102 0a0100 020100 020100 010100 870b6f626a656374436c617373 3000");
  const auto search_bytes = bytes_of("3038 800101 810102 820105 83022710 840107 8826") + search.protocol_op;
  check_bytes(encode(search), search_bytes);
  check_same(search, decode_request(search_bytes).value.value());

  answer_frame answer;
  answer.kind = answer_kind::messages;
  answer.messages = bytes_of("300c02010165070a010004000400");
  answer.server = "ldap1:389";
  const auto answer_bytes = bytes_of("3021 800101 810102 840e300c02010165070a010004000400 85096c646170313a333839");
  check_bytes(encode(answer), answer_bytes);
  const auto came = decode_answer(answer_bytes).value.value();
  BOOST_TEST((came.kind == answer.kind && came.messages == answer.messages && came.server == answer.server));

  const auto failed = decode_answer(bytes_of("300b 800101 810100 8203 800101")).value.value();
  BOOST_TEST_REQUIRE(failed.error != nullptr);
  BOOST_TEST((failed.kind == answer_kind::failed && failed.error->code == static_cast<errc>(1)));

  const node_terms terms{"node1", node_permission::write, 128, 8'388'608, 4'193'280, seconds{15}, true};
  const auto terms_bytes = bytes_of("80056e6f646531 810101 82020080 830400800000 84033ffc00 85023a98 860101");
  check_bytes(encode(terms), terms_bytes);
  const auto read = decode_terms(terms_bytes).value.value();
  BOOST_TEST((read.name == terms.name && read.permission == terms.permission && read.compression));
  BOOST_TEST((read.most_requests == 128U && read.most_bytes == 8'388'608U && read.longest_frame == 4'193'280U));
  BOOST_TEST((read.silence == terms.silence));
}

BOOST_AUTO_TEST_CASE(an_answer_crosses_with_all_its_parts) {
  const auto sent = full_answer();
  const auto came = decode_answer(encode(sent));
  BOOST_TEST_REQUIRE(came.value.has_value());
  const auto& f = *came.value;
  BOOST_TEST((f.kind == sent.kind && f.flag && f.messages == sent.messages && f.server == sent.server));
  BOOST_TEST((f.outcome.code == 5 && f.outcome.matched_dn == "dc=x" && f.outcome.diagnostic == "why"));
  BOOST_TEST((f.outcome.referrals == sent.outcome.referrals && f.outcome.response_oid == "1.4"));
  BOOST_TEST((f.outcome.response_value == sent.outcome.response_value && f.outcome.server == "ldap1:389"));
  BOOST_TEST_REQUIRE(f.outcome.controls.size() == 1U);
  BOOST_TEST((f.outcome.controls[0].value == ""));
  BOOST_TEST((f.grant.lease == 77 && f.grant.connection == 78 && f.grant.server == 3));
  BOOST_TEST((f.grant.server_name == "ldap1:389" && f.body == sent.body));
}

BOOST_AUTO_TEST_CASE(a_failure_crosses_with_all_its_parts) {
  const auto sent = full_failure();
  answer_frame f;
  f.kind = answer_kind::failed;
  f.error = make_failure(failure{sent});
  const auto came = decode_answer(encode(f));
  BOOST_TEST_REQUIRE(came.value.has_value());
  const auto& got = *came.value->error;
  BOOST_TEST(describe(got) == describe(sent));
  BOOST_TEST((got.code == sent.code && got.where == sent.where && got.cause_code == sent.cause_code));
  BOOST_TEST((got.referrals == sent.referrals && got.retry_after == sent.retry_after && got.cause_at == sent.cause_at));
  BOOST_TEST_REQUIRE(got.controls.size() == 1U);
  BOOST_TEST((got.controls[0].oid == "1.2.3" && got.controls[0].critical && got.controls[0].value == "x"));
  BOOST_TEST((got.pool && got.pool->connecting == 6));
  for (std::size_t i = 1; i < errc_count; ++i) {
    f.error = make_failure(static_cast<errc>(i), stage::queue, "x");
    BOOST_TEST((decode_answer(encode(f)).value.value().error->code == static_cast<errc>(i)));
  }
}

BOOST_AUTO_TEST_CASE(terms_cross_with_all_their_parts) {
  const node_terms sent{"node1", node_permission::admin, 64, 1 << 20, 1 << 22, milliseconds{15'000}};
  const auto came = decode_terms(encode(sent));
  BOOST_TEST_REQUIRE(came.value.has_value());
  BOOST_TEST((came.value->name == "node1" && came.value->permission == node_permission::admin));
  BOOST_TEST((came.value->most_requests == 64 && came.value->most_bytes == sent.most_bytes));
  BOOST_TEST((came.value->longest_frame == sent.longest_frame && came.value->silence == sent.silence));
  // With no credit nothing could ever be asked.
  BOOST_TEST(decode_terms(encode(node_terms{})).error != nullptr);
}

BOOST_AUTO_TEST_CASE(a_version_that_is_not_understood_is_told_with_both_versions) {
  for (const std::int64_t theirs : {newest_version + 1, std::int64_t{1} << 40}) {
    for (const auto& why : {decode_request(of_version(theirs)).error, decode_answer(of_version(theirs)).error}) {
      BOOST_TEST_REQUIRE(why != nullptr);
      BOOST_TEST((why->code == errc::invalid_request));
      BOOST_TEST(why->message.find("version " + std::to_string(theirs)) != std::string::npos);
      BOOST_TEST(why->message.find("versions 1 to 1") != std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(fields_and_kinds_of_later_releases) {
  // A field that is new is passed over …
  auto frame = encode(full_request());
  auto content = std::string{*ber_cursor{frame}.element(ber_tag::sequence)} + ber_octets("new", 0x80 | 30);
  const auto more = decode_request(ber_element(ber_tag::sequence, content));
  BOOST_TEST_REQUIRE(more.value.has_value());
  check_same(full_request(), *more.value);
  // … a kind that is new is refused by name.
  const auto kind = decode_request(ber_element(ber_tag::sequence, ber_integer(1, 0x80) + ber_integer(99, 0x81)));
  BOOST_TEST_REQUIRE(kind.error != nullptr);
  BOOST_TEST(kind.error->message.find("kind 99") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_no_frame_is_refused) {
  const auto request = encode(full_request());
  const auto answer = encode(full_answer());
  for (std::size_t n = 0; n < request.size(); ++n) BOOST_TEST(!decode_request(request.substr(0, n)).value.has_value());
  for (std::size_t n = 0; n < 600; ++n) BOOST_TEST(!decode_answer(answer.substr(0, n)).value.has_value());
  BOOST_TEST(!decode_request(request + "x").value.has_value());
  const auto framed = [](const std::string& fields) {
    return ber_element(ber_tag::sequence, ber_integer(1, 0x80) + ber_integer(2, 0x81) + fields);
  };
  BOOST_TEST(decode_request(framed("")).value.has_value());
  for (const auto& fields : {ber_integer(-1, 0x83), ber_octets("", 0x82), ber_octets("123456789", 0x84),
                             ber_integer(2, 0x86), ber_octets("x"), ber_octets("\x01", 0x8e)})
    BOOST_TEST(!decode_request(framed(fields)).value.has_value());
  // A failure without a failure, and a success with one.
  BOOST_TEST(!decode_answer(ber_element(ber_tag::sequence, ber_integer(1, 0x80) + ber_integer(0, 0x81))).value);
  answer_frame odd;
  odd.error = make_failure(errc::cancelled, stage::queue, "x");
  BOOST_TEST(!decode_answer(encode(odd)).value);
}

BOOST_AUTO_TEST_CASE(a_list_that_only_costs_memory_is_refused) {
  request_frame many;
  many.controls.resize(5000);
  BOOST_TEST(!decode_request(encode(many)).value.has_value());
  many.controls.resize(4000);
  BOOST_TEST(decode_request(encode(many)).value.has_value());
}

BOOST_AUTO_TEST_CASE(whatever_is_accepted_says_the_same_when_it_is_encoded_again) {
  auto request = full_request();
  request.encoded_controls = "c";
  request.protocol_op = "p";
  request.new_password = "n";
  check_frames(request, decode_request);
  auto answer = full_answer();
  answer.messages = answer.body = "m";
  answer.outcome.response_value = "v";
  check_frames(answer, decode_answer);
  answer.kind = answer_kind::failed;
  answer.error = make_failure(full_failure());
  check_frames(answer, decode_answer);
}

BOOST_AUTO_TEST_CASE(a_frame_with_a_password_is_wiped) {
  request_frame f;
  f.password = "tell-nobody";
  auto bytes = encode(f);
  const char* const at = bytes.data();
  const auto size = bytes.size();
  BOOST_TEST(std::string_view(at, size).find("tell-nobody") != std::string_view::npos);
  wipe_frame(std::move(bytes));
  BOOST_TEST(bytes.empty());
  BOOST_TEST(std::string_view(at, size).find("tell-nobody") == std::string_view::npos);
}
