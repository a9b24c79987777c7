// An operation that is handed on in its LDAP encoding is the same operation, and what came back for it the same
// outcome.
#include "understudy/actors/connection/operation_codec.hpp"

#include "rig.hpp"
#include "support/ldap_wire.hpp"
#include "understudy/messages/printable.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

constexpr std::size_t plenty = 1 << 20;

std::vector<request_ptr> operations() {
  const std::string dn = "uid=user1,ou=people,dc=example,dc=com";
  const std::string bytes{"\0\xff a", 4};
  search_request search;
  search.base = "ou=people,dc=example,dc=com";
  search.filter = "(&(uid=user4)(!(mail=*)))";
  search.attributes = {"mail", "*"};
  search.size_limit = 3;
  search.time_limit = 7;
  search.types_only = true;
  search.deref = dereference::always;
  search.scope = search_scope::one;
  const std::vector<control> some{{"1.2.3", true, bytes}, {"1.2.4", false, {}}};
  using change = modification::kind;
  return {make_request(search),
          make_request(search, some),
          make_request(compare_request{dn, "mail", bytes}, some),
          make_request(add_request{"cn=x", {{"cn", {"x", bytes}}, {"objectClass", {std::string(300, 'o')}}}}, some),
          make_request(modify_request{dn,
                                      {{change::add, {"a", {bytes}}},
                                       {change::remove, {"b", {}}},
                                       {change::replace, {"c", {"1", "2"}}},
                                       {change::increment, {"d", {"1"}}}}}),
          make_request(delete_request{dn}),
          make_request(delete_request{dn}, some),
          make_request(modify_dn_request{"cn=x", "cn=y", false, "ou=z"}),
          make_request(modify_dn_request{"cn=x", "cn=y", true, {}}, some)};
}

std::string text_of(const std::vector<control>& controls) {
  std::string text;
  for (const auto& c : controls) text += " " + c.oid + (c.critical ? "!" : "") + "=" + printable(c.value.value_or("-"));
  return text;
}

std::string text_of(const attribute& a) {
  std::string text = " " + a.name;
  for (const auto& v : a.values) text += "=" + printable(v);
  return text;
}

/// Everything that a directory sees of a request but its message id.
std::string text_of(const directory_request& r) {
  auto text = std::to_string(static_cast<int>(r.kind)) + " " + r.dn + " " + r.filter + " " +
              std::to_string(static_cast<int>(r.scope)) + std::to_string(static_cast<int>(r.deref)) + " " +
              std::to_string(r.size_limit) + " " + std::to_string(r.time_limit) + (r.types_only ? " types " : " ") +
              r.compared_attribute + "=" + printable(r.compared_value) + " " + r.new_rdn +
              (r.delete_old_rdn ? " deleted " : " ") + r.new_superior.value_or("-") + text_of(r.controls);
  for (const auto& name : r.names) text += " " + name;
  for (const auto& c : r.changes) text += " " + std::to_string(static_cast<int>(c.op)) + text_of(c.target);
  for (const auto& a : r.attributes) text += text_of(a);
  return text;
}

std::string text_of(const entry& e) {
  auto text = e.dn + text_of(e.controls);
  for (const auto& a : e.attributes) text += text_of(a);
  return text;
}

/// Everything that a caller sees of an outcome.
std::string text_of(const result& r) {
  auto text = std::to_string(r.code) + " " + r.matched_dn + " " + r.diagnostic + " " + r.server + " " + r.response_oid +
              r.response_value.value_or("-") + text_of(r.controls);
  for (const auto& e : r.entries) text += "\n" + text_of(e);
  for (std::size_t i = 0; i < r.references.size(); ++i)
    text += "\n" + std::to_string(r.reference_positions.at(i)) + r.references[i].at(0);
  for (const auto& uri : r.referrals) text += "\n" + uri;
  return text;
}

std::string text_of(const result_ptr& answer, const failure_ptr& error) {
  if (answer) return text_of(*answer);
  BOOST_TEST_REQUIRE(error != nullptr);
  auto text = describe(*error) + text_of(error->controls) + std::to_string(static_cast<int>(error->where));
  for (const auto& uri : error->referrals) text += "\n" + uri;
  return text + (error->partial ? "\n" + text_of(*error->partial) : "");
}

/// What a node and its client make of it together.
operation_outcome handed_on(connection_rig& rig, const connection_actor& one, const request_ptr& order,
                            const std::string& server) {
  auto encoded = encode_operation(*order);
  BOOST_TEST_REQUIRE(encoded.error == nullptr);
  encoded.op.message_id = 1;
  const auto came = rig.outcome(one, make_request(std::move(encoded.op)));
  if (!came.ok()) return {nullptr, came.error};
  return decode_operation(*order, (*came.value)->messages, server, plenty);
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_directory_sees_the_same_operation_when_it_was_handed_on, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  const auto peer = "127.0.0.1:" + std::to_string(directory.port());
  for (const auto& order : operations()) {
    const auto before = directory.requests().size();
    const auto typed = outcome(one, order);
    const auto relayed = handed_on(*this, one, order, peer);
    const auto seen_there = directory.requests();
    BOOST_TEST_REQUIRE(seen_there.size() == before + 2);
    BOOST_TEST(text_of(seen_there[before]) == text_of(seen_there[before + 1]));
    BOOST_TEST(text_of(typed.value.value_or(nullptr), typed.error) == text_of(relayed.answer, relayed.error));
  }
}

BOOST_FIXTURE_TEST_CASE(a_caller_sees_the_same_outcome_when_it_was_handed_on, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  const auto peer = "127.0.0.1:" + std::to_string(directory.port());
  for (const int code : {0, 4, 5, 6, 10, 32, 50, 68, 80, 4096}) {
    directory_answer answer;
    answer.code = code;
    answer.matched_dn = "dc=com";
    answer.diagnostic = "said \x01 so";
    answer.controls = {{"1.9", true, "c"}, {"1.8", false, {}}};
    if (code == result_code::referral) answer.referrals = {"ldap://a/", "ldap://b/"};
    for (const auto& order : operations()) {
      if (std::holds_alternative<search_request>(order->op)) {
        answer.entries = {{"cn=a", {{"mail", {"x", ""}}, {"none", {}}}}, {"cn=b", {}, {{"1.7", false, "e"}}}};
        answer.references = {{"ldap://r/"}};
      }
      directory.forget_rules();
      for (const auto kind : {operation::search, operation::compare, operation::add, operation::modify,
                              operation::remove, operation::modify_dn})
        directory.on(kind, reply{answer});
      const auto typed = outcome(one, order);
      const auto relayed = handed_on(*this, one, order, peer);
      BOOST_TEST(text_of(typed.value.value_or(nullptr), typed.error) == text_of(relayed.answer, relayed.error));
      answer.entries.clear();
      answer.references.clear();
    }
  }
}

BOOST_FIXTURE_TEST_CASE(what_a_busy_server_says_is_not_lost_when_it_was_handed_on, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.on(operation::remove, reply{{.code = result_code::busy, .matched_dn = "dc=x", .diagnostic = "in an hour"}});
  const auto order = make_request(delete_request{"cn=x"});
  const auto relayed = handed_on(*this, one, order, "");
  BOOST_TEST_REQUIRE(relayed.error != nullptr);
  BOOST_TEST((classify(*relayed.error) == failure_class::overload));
  BOOST_TEST(relayed.error->diagnostic == "in an hour");
  BOOST_TEST(relayed.error->matched_dn == "dc=x");
}

BOOST_AUTO_TEST_CASE(what_a_connection_would_refuse_is_not_handed_on) {
  search_request bad;
  bad.filter = "(uid=";
  for (const auto& order :
       {make_request(bad), make_request(delete_request{std::string{"cn=\0x", 5}}),
        make_request(add_request{"cn=x", {}}), make_request(bind_request{"cn=x", "p"}), make_request(whoami_request{}),
        make_request(delete_request{"cn=x"}, {control{"", false, {}}})}) {
    const auto refused = encode_operation(*order);
    BOOST_TEST_REQUIRE(refused.error != nullptr);
    BOOST_TEST((refused.error->code == errc::invalid_request));
  }
}

BOOST_AUTO_TEST_CASE(messages_that_are_no_answer_are_a_failure) {
  const auto search = make_request(search_request{});
  const auto join = [](const std::vector<std::string>& parts) {
    std::string all;
    for (const auto& p : parts) all += p;
    return all;
  };
  directory_answer found;
  found.entries = {{"cn=a", {{"mail", {std::string(500, 'm')}}}}};
  const auto good = join(encode_answer(operation::search, 1, found));
  BOOST_TEST(decode_operation(*search, good, "s", plenty).answer != nullptr);
  const auto refused = [&](const std::string& messages, std::size_t room = plenty) {
    const auto got = decode_operation(*search, messages, "s", room);
    BOOST_TEST_REQUIRE(got.error != nullptr);
    return got.error->code;
  };
  for (std::size_t n = 0; n < good.size(); ++n) BOOST_TEST((refused(good.substr(0, n)) == errc::internal));
  BOOST_TEST((refused(good + good) == errc::internal));
  BOOST_TEST((refused(join(encode_answer(operation::compare, 1, {}))) == errc::internal));
  BOOST_TEST((refused(good, 300) == errc::result_too_large));
}
