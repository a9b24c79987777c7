// Operations in their LDAP encoding, beside libldap's; relayed, each is the same operation, and what came back for it
// the same outcome.
#include "understudy/actors/connection/operation_codec.hpp"

#include "rig.hpp"
#include "support/ber.hpp"
#include "support/ldap_wire.hpp"
#include "understudy/messages/printable.hpp"

#include <ldap.h>
#include <openldap.h>
#include <sys/socket.h>
#include <unistd.h>
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

/// What libldap writes when `make` calls it.
template <class Make>
std::string by_libldap(Make make) {
  int ends[2] = {-1, -1};
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  LDAP* handle = nullptr;
  BOOST_REQUIRE(ldap_init_fd(ends[0], LDAP_PROTO_TCP, nullptr, &handle) == LDAP_SUCCESS);
  const int version = LDAP_VERSION3;  // controls are refused before
  BOOST_REQUIRE(ldap_set_option(handle, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_SUCCESS);
  int id = 0;
  const int code = make(handle, id);
  std::string out(10'000, ' ');
  const auto got = ::recv(ends[1], out.data(), out.size(), MSG_DONTWAIT);
  ldap_unbind_ext(handle, nullptr, nullptr);
  ::close(ends[1]);
  BOOST_REQUIRE(code == LDAP_SUCCESS);
  BOOST_REQUIRE(got > 0);
  out.resize(static_cast<std::size_t>(got));
  return out;
}

berval bytes_of(std::string& text) { return {text.size(), text.data()}; }

/// The same as operations() from the third on.
std::vector<std::string> operations_by_libldap() {
  std::string bytes{"\0\xff a", 4}, many(300, 'o'), x = "x", first = "1", second = "2";
  berval bytes_value = bytes_of(bytes), many_value = bytes_of(many), x_value = bytes_of(x), one_value = bytes_of(first),
         two_value = bytes_of(second);
  char oid_critical[] = "1.2.3", oid_plain[] = "1.2.4";
  LDAPControl critical{oid_critical, bytes_value, 1}, plain{oid_plain, {0, nullptr}, 0};
  LDAPControl* some[] = {&critical, &plain, nullptr};
  constexpr auto* dn = "uid=user1,ou=people,dc=example,dc=com";
  char cn[] = "cn", object_class[] = "objectClass", a[] = "a", b[] = "b", c[] = "c", d[] = "d";
  berval *cn_values[] = {&x_value, &bytes_value, nullptr}, *class_values[] = {&many_value, nullptr},
         *a_values[] = {&bytes_value, nullptr}, *c_values[] = {&one_value, &two_value, nullptr},
         *d_values[] = {&one_value, nullptr};
  const auto mod = [](int op, char* type, berval** values) {
    LDAPMod made{};
    made.mod_op = op | LDAP_MOD_BVALUES;
    made.mod_type = type;
    made.mod_bvalues = values;
    return made;
  };
  auto m1 = mod(LDAP_MOD_ADD, cn, cn_values), m2 = mod(LDAP_MOD_ADD, object_class, class_values);
  LDAPMod* added[] = {&m1, &m2, nullptr};
  auto c1 = mod(LDAP_MOD_ADD, a, a_values), c2 = mod(LDAP_MOD_DELETE, b, nullptr),
       c3 = mod(LDAP_MOD_REPLACE, c, c_values), c4 = mod(LDAP_MOD_INCREMENT, d, d_values);
  LDAPMod* changed[] = {&c1, &c2, &c3, &c4, nullptr};
  return {
      by_libldap([&](LDAP* h, int& id) { return ldap_compare_ext(h, dn, "mail", &bytes_value, some, nullptr, &id); }),
      by_libldap([&](LDAP* h, int& id) { return ldap_add_ext(h, "cn=x", added, some, nullptr, &id); }),
      by_libldap([&](LDAP* h, int& id) { return ldap_modify_ext(h, dn, changed, nullptr, nullptr, &id); }),
      by_libldap([&](LDAP* h, int& id) { return ldap_delete_ext(h, dn, nullptr, nullptr, &id); }),
      by_libldap([&](LDAP* h, int& id) { return ldap_delete_ext(h, dn, some, nullptr, &id); }),
      by_libldap([&](LDAP* h, int& id) { return ldap_rename(h, "cn=x", "cn=y", "ou=z", 0, nullptr, nullptr, &id); }),
      by_libldap([&](LDAP* h, int& id) { return ldap_rename(h, "cn=x", "cn=y", nullptr, 1, some, nullptr, &id); })};
}

/// What a node and its client make of it together.
operation_outcome relayed_outcome(connection_rig& rig, const connection_actor& connection, const request_ptr& order,
                                  const std::string& server) {
  auto encoded = encode_operation(*order);
  BOOST_TEST_REQUIRE(encoded.error == nullptr);
  encoded.op.message_id = 1;
  const auto came = rig.outcome(connection, make_request(std::move(encoded.op)));
  if (!came.ok()) return {nullptr, came.error};
  return decode_operation(*order, (*came.value)->messages, server, plenty);
}

}  // namespace

BOOST_AUTO_TEST_CASE(operations_are_encoded_as_libldap_does_it) {
  const auto ours = operations();
  const auto theirs = operations_by_libldap();
  constexpr std::size_t searches = 2;
  BOOST_TEST_REQUIRE(ours.size() == theirs.size() + searches);
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    const auto encoded = encode_operation(*ours[i + searches]);
    BOOST_TEST_REQUIRE(encoded.error == nullptr);
    const auto message =
        ber(ber_tag::sequence, std::string{"\x02\x01\x01", 3} + encoded.op.protocol_op + encoded.op.controls);
    BOOST_TEST(text_of(decode_request(message)) == text_of(decode_request(theirs[i])));
  }
}

BOOST_FIXTURE_TEST_CASE(a_directory_sees_the_same_operation_when_it_was_relayed, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  const auto peer = "127.0.0.1:" + std::to_string(directory.port());
  for (const auto& order : operations()) {
    const auto before = directory.requests().size();
    const auto typed = outcome(one, order);
    const auto relayed = relayed_outcome(*this, one, order, peer);
    const auto seen_there = directory.requests();
    BOOST_TEST_REQUIRE(seen_there.size() == before + 2);
    BOOST_TEST(text_of(seen_there[before]) == text_of(seen_there[before + 1]));
    BOOST_TEST(text_of(typed.value.value_or(nullptr), typed.error) == text_of(relayed.answer, relayed.error));
  }
}

BOOST_FIXTURE_TEST_CASE(a_caller_sees_the_same_outcome_when_it_was_relayed, connection_rig) {
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
      const auto relayed = relayed_outcome(*this, one, order, peer);
      BOOST_TEST(text_of(typed.value.value_or(nullptr), typed.error) == text_of(relayed.answer, relayed.error));
      answer.entries.clear();
      answer.references.clear();
    }
  }
}

BOOST_FIXTURE_TEST_CASE(what_a_busy_server_says_is_not_lost_when_it_was_relayed, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.on(operation::remove, reply{{.code = result_code::busy, .matched_dn = "dc=x", .diagnostic = "in an hour"}});
  const auto order = make_request(delete_request{"cn=x"});
  const auto relayed = relayed_outcome(*this, one, order, "");
  BOOST_TEST_REQUIRE(relayed.error != nullptr);
  BOOST_TEST((classify(*relayed.error) == failure_class::overload));
  BOOST_TEST(relayed.error->diagnostic == "in an hour");
  BOOST_TEST(relayed.error->matched_dn == "dc=x");
}

BOOST_AUTO_TEST_CASE(what_a_connection_would_refuse_is_not_relayed) {
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
