// Messages as bytes: searches beside libldap's encoder, an independent decoder, and answers that make no sense.
#include "understudy/actors/connection/pdu_codec.hpp"
#include "support/ber.hpp"
#include "support/ldap_wire.hpp"
#include "support/print.hpp"
#include "support/property.hpp"
#include "understudy/actors/connection/session.hpp"

#include <sys/socket.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <memory>

using namespace understudy;
using namespace understudy::test;

namespace {

/// The same elements with the shortest lengths: libldap writes long ones.
std::string shortest(std::string_view bytes) {
  std::string out;
  for (ber_reader rest{bytes}; !rest.empty();) {
    const auto one = rest.next();
    const bool constructed = (one.tag & 0x20) != 0;
    out += ber(one.tag, constructed ? shortest(one.content) : std::string{one.content});
  }
  return out;
}

/// A session, and what it writes.
struct libldap {
  int ends[2] = {-1, -1};
  transport bytes{1024 * 1024};
  session ldap{bytes};

  libldap() {
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    bytes.open(ends[0]);
    BOOST_REQUIRE(bytes.resume(transport::writable).connected);
    BOOST_REQUIRE(!ldap.open());
  }
  ~libldap() {
    ldap.close(false);
    ::close(ends[1]);
  }
  /// The search as libldap encodes it: searches with controls are left to it.
  std::string encode(const search_request& what) {
    BOOST_REQUIRE(!ldap.encode(*make_request(what, {control{"1.2.3", false, {}}})).error);
    bytes.flush();
    std::string out(200'000, ' ');
    const auto got = ::recv(ends[1], out.data(), out.size(), 0);
    BOOST_REQUIRE(got > 0);
    out.resize(static_cast<std::size_t>(got));
    return shortest(out);
  }
};

search_request searching(std::string filter) {
  search_request what;
  what.base = "ou=people,dc=example,dc=com";
  what.filter = std::move(filter);
  return what;
}

/// The filter's element of an encoded search (RFC 4511, 4.5.1).
std::string filter_of(const std::string& pdu) {
  ber_reader whole{pdu};
  ber_reader message{whole.next(ber_tag::sequence)};
  message.next(ber_tag::integer);
  ber_reader body{message.next(0x63)};
  for (int i = 0; i < 6; ++i) body.next();
  const auto filter = body.next();
  return ber(filter.tag, filter.content);
}

const std::vector<std::string> filters{
    "(uid=user1)",
    "(objectClass=*)",
    "(cn=)",
    "(cn=a*)",
    "(cn=*a)",
    "(cn=*a*)",
    "(cn=a*b*c)",
    "(cn=a\\2ab*\\28c\\29)",
    "(cn=\\00\\ff\\5C)",
    "(sn>=k)",
    "(sn<=k)",
    "(sn~=k)",
    "(userCertificate;binary=\\30\\82)",
    "(2.5.4.3=by number)",
    "(cn=J\xc3\xbcrgen)",
    "(cn=a=b)",
    "(&(a=1)(b=2))",
    "(|(a=1)(&(b=2)(!(c=3)))(d=*))",
    "(!(a=1))",
    "(cn=" + std::string(127, 'x') + ")",
    "(cn=" + std::string(128, 'x') + ")",
    "(&(cn=" + std::string(70'000, 'x') + ")(a=1))",
};

/// An LDAPMessage of that operation, answering message 7.
std::string message(std::uint8_t op, const std::string& body, const std::string& rest = {}) {
  return ber(ber_tag::sequence, ber_number(ber_tag::integer, 7) + ber(op, body) + rest);
}
std::string octets(std::string_view bytes) { return ber(ber_tag::octets, bytes); }

}  // namespace

BOOST_FIXTURE_TEST_CASE(filters_are_encoded_as_libldap_does_it, libldap) {
  for (const auto& filter : filters) {
    std::string pdu;
    BOOST_TEST_CONTEXT(filter.substr(0, 80)) {
      BOOST_REQUIRE(encode_search(1, searching(filter), pdu));
      BOOST_TEST((shortest(pdu) == pdu));
      BOOST_TEST((filter_of(pdu) == filter_of(encode(searching(filter)))));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_left_to_libldap_leaves_nothing_behind) {
  for (const std::string filter :
       {"(cn:caseExactMatch:=a)", "(cn:dn:=a)", "(:dn:2.5.13.2:=a)", "uid=user1", "( uid=user1)", "(cn=a**b)",
        "(cn>=a*)", "(cn=\\2)", "(cn=\\zz)", "(=a)", "(cn)", "(cn=a", "(&(a=1)", "", "(a=1)x"}) {
    std::string out = "before";
    BOOST_TEST_CONTEXT(filter) {
      BOOST_TEST(!encode_search(1, searching(filter), out));
      BOOST_TEST(out == "before");
    }
  }
}

BOOST_AUTO_TEST_CASE(every_field_of_a_search_arrives) {
  auto what = searching("(uid=user1)");
  what.scope = search_scope::children;
  what.deref = dereference::always;
  what.attributes = {"mail", "+", ""};
  what.types_only = true;
  what.size_limit = 1000;
  what.time_limit = 128;
  for (const int id : {1, 127, 128, 32767, 32768, 1 << 29, 2147483647}) {
    std::string pdu;
    BOOST_REQUIRE(encode_search(id, what, pdu));
    const auto seen = decode_request(pdu);
    BOOST_TEST((seen.kind == operation::search));
    BOOST_TEST(seen.id == id);
    BOOST_TEST(seen.dn == what.base);
    BOOST_TEST((seen.scope == what.scope));
    BOOST_TEST((seen.deref == what.deref));
    BOOST_TEST(seen.filter == what.filter);
    BOOST_TEST(seen.names == what.attributes, boost::test_tools::per_element());
    BOOST_TEST(seen.types_only);
    BOOST_TEST(seen.size_limit == 1000);
    BOOST_TEST(seen.time_limit == 128);
  }
}

BOOST_AUTO_TEST_CASE(an_abandon_names_the_search) {
  std::string pdu;
  encode_abandon(70'000, 1 << 29, pdu);
  const auto seen = decode_request(pdu);
  BOOST_TEST((seen.kind == operation::abandon));
  BOOST_TEST(seen.id == 70'000);
  BOOST_TEST(seen.abandoned == 1 << 29);
}

BOOST_AUTO_TEST_CASE(an_entry_is_decoded_with_its_bytes) {
  const std::string binary("\x00\xff\x30", 3);
  const auto attributes = ber(ber_tag::sequence, octets("mail") + ber(ber_tag::set, octets("a@b") + octets(binary))) +
                          ber(ber_tag::sequence, octets("typesOnly") + ber(ber_tag::set, ""));
  result found;
  BOOST_REQUIRE(decode_search_entry(message(0x64, octets("cn=x") + ber(ber_tag::sequence, attributes)), found));
  BOOST_REQUIRE(found.entries.size() == 1u);
  const auto& e = found.entries.front();
  BOOST_TEST(e.dn == "cn=x");
  BOOST_REQUIRE(e.attributes.size() == 2u);
  BOOST_TEST(e.attributes[0].values == (std::vector<std::string>{"a@b", binary}), boost::test_tools::per_element());
  BOOST_TEST(e.attributes[1].values.empty());
}

BOOST_AUTO_TEST_CASE(a_result_is_decoded_with_referrals_and_controls) {
  const auto body = ber_number(ber_tag::enumerated, 10) + octets("dc=x") + octets("elsewhere") +
                    ber(0xa3, octets("ldap://a/") + octets("ldap://b/"));
  const auto controls =
      ber(0xa0, ber(ber_tag::sequence, octets("1.2.3") + ber(ber_tag::boolean, "\xff") + octets("v")) +
                    ber(ber_tag::sequence, octets("4.5.6")));
  result found;
  BOOST_REQUIRE(decode_result(message(0x65, body, controls), 0x65, found));
  BOOST_TEST(found.code == 10);
  BOOST_TEST(found.matched_dn == "dc=x");
  BOOST_TEST(found.diagnostic == "elsewhere");
  BOOST_TEST(found.referrals == (std::vector<std::string>{"ldap://a/", "ldap://b/"}), boost::test_tools::per_element());
  BOOST_REQUIRE(found.controls.size() == 2u);
  BOOST_TEST(found.controls[0].oid == "1.2.3");
  BOOST_TEST(found.controls[0].critical);
  BOOST_TEST(found.controls[0].value.value() == "v");
  BOOST_TEST(!found.controls[1].critical);
  BOOST_TEST(!found.controls[1].value);
}

BOOST_AUTO_TEST_CASE(references_keep_their_place) {
  result found;
  found.entries.resize(3);
  BOOST_REQUIRE(decode_search_reference(message(0x73, octets("ldap://a/") + octets("ldap://b/")), found));
  BOOST_TEST(found.reference_positions.at(0) == 3u);
  BOOST_TEST(found.references.at(0).size() == 2u);
}

BOOST_AUTO_TEST_CASE(an_extended_response_is_decoded_with_its_name_and_value) {
  const auto answer = ber_number(ber_tag::enumerated, 52) + octets("") + octets("going down");
  const auto name = ber(0x8a, notice_of_disconnection_oid);
  result notice;
  BOOST_REQUIRE(decode_extended(message(0x78, answer + name + ber(0x8b, "v")), notice));
  BOOST_TEST(notice.code == 52);
  BOOST_TEST(notice.diagnostic == "going down");
  BOOST_TEST(notice.response_oid == notice_of_disconnection_oid);
  BOOST_TEST(notice.response_value.value() == "v");
  result plain;
  BOOST_TEST(decode_extended(message(0x78, answer), plain));
  BOOST_TEST(plain.response_oid.empty());
  BOOST_TEST(!plain.response_value);
  BOOST_TEST(!decode_extended(message(0x65, answer + name), plain));
  BOOST_TEST(!decode_extended(message(0x78, answer + "\x8a\x05x"), plain));
}

BOOST_AUTO_TEST_CASE(no_half_of_an_answer_is_taken_for_one) {
  const auto attribute = ber(ber_tag::sequence, octets("mail") + ber(ber_tag::set, octets("a@b")));
  const auto entry = message(0x64, octets("cn=x") + ber(ber_tag::sequence, attribute));
  const auto done = message(0x65, ber_number(ber_tag::enumerated, 0) + octets("") + octets(""));
  for (std::size_t cut = 0; cut < entry.size(); ++cut) {
    result found;
    BOOST_TEST(!decode_search_entry(std::string_view{entry}.substr(0, cut), found));
  }
  const auto notice = message(0x78, ber_number(ber_tag::enumerated, 52) + octets("") + octets("") + ber(0x8a, "1.2"));
  // Each byte changed to what it cannot be: some are still an answer, none is read beyond its end.
  for (const auto& whole : {entry, done, notice})
    for (std::size_t at = 0; at < whole.size(); ++at)
      for (const int flip : {0x01, 0x7f, 0x80, 0xff}) {
        const auto copy = std::make_unique<char[]>(whole.size());
        std::copy(whole.begin(), whole.end(), copy.get());
        copy[at] = static_cast<char>(copy[at] ^ flip);
        result found;
        decode_search_entry({copy.get(), whole.size()}, found);
        decode_result({copy.get(), whole.size()}, 0x65, found);
        decode_search_reference({copy.get(), whole.size()}, found);
        decode_extended({copy.get(), whole.size()}, found);
      }
  result found;
  BOOST_TEST(!decode_result(message(0x65, ber_number(ber_tag::enumerated, -1) + octets("") + octets("")), 0x65, found));
  BOOST_TEST(!decode_result(message(0x65, ber_number(ber_tag::enumerated, 0) + octets("")), 0x65, found));
  BOOST_TEST(!decode_search_entry(done, found));
}

BOOST_AUTO_TEST_CASE(every_entry_arrives_as_it_was_sent_and_nonsense_is_read_within_its_bounds) {
  check_property("entries", {1000, 20}, [] {
    const auto text = rc::gen::container<std::string>(any(rc::gen::arbitrary<char>()));
    const auto values = *list_of(rc::gen::pair(text, rc::gen::container<std::vector<std::string>>(text)));
    std::string attributes;
    for (const auto& [name, all] : values) {
      std::string set;
      for (const auto& one : all) set += octets(one);
      attributes += ber(ber_tag::sequence, octets(name) + ber(ber_tag::set, set));
    }
    const auto dn = *text;
    const auto pdu = message(0x64, octets(dn) + ber(ber_tag::sequence, attributes));
    result found;
    must(decode_search_entry(pdu, found) && found.entries.size() == 1, "an entry is decoded");
    must(found.entries[0].dn == dn && found.entries[0].attributes.size() == values.size(), "nothing is lost");
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto& got = found.entries[0].attributes[i];
      must(got.name == values[i].first && got.values == values[i].second, "attributes are as they were sent");
    }
    // On the heap and exactly as long, so that an instrumented build sees a byte too many.
    const auto copy = std::make_unique<char[]>(pdu.size());
    std::copy(pdu.begin(), pdu.end(), copy.get());
    for (const auto& [at, byte] :
         *list_of(rc::gen::pair(rc::gen::arbitrary<std::uint16_t>(), rc::gen::arbitrary<char>())))
      copy[at % pdu.size()] = byte;
    const std::string_view nonsense{copy.get(), pdu.size()};
    result any_result;
    decode_search_entry(nonsense, any_result);
    decode_result(nonsense, 0x65, any_result);
    decode_search_reference(nonsense, any_result);
    decode_extended(nonsense, any_result);
  });
}
