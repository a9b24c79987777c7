// The grammar of filters (RFC 4515), and filters as bytes beside libldap's.
#include "understudy/actors/connection/filter_codec.hpp"
#include "support/ber.hpp"
#include "understudy/messages/filter.hpp"

#include <ldap.h>
#include <openldap.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

std::string problem_of(std::string_view text) {
  std::string out;
  ber_writer to{out};
  return encode_filter(text, to);
}

void check_good(const std::string& text) { BOOST_TEST(problem_of(text) == "", text << ": " << problem_of(text)); }
void check_bad(const std::string& text, const std::string& part) {
  const auto problem = problem_of(text);
  BOOST_TEST(problem.find(part) != std::string::npos, text << ": " << problem);
}

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

/// The filter's element of an encoded search (RFC 4511, 4.5.1).
std::string filter_of(std::string_view pdu) {
  ber_reader whole{pdu};
  ber_reader message{whole.next(test::ber_tag::sequence)};
  message.next(test::ber_tag::integer);
  ber_reader body{message.next(0x63)};
  for (int i = 0; i < 6; ++i) body.next();
  const auto filter = body.next();
  return ber(filter.tag, filter.content);
}

std::string by_libldap(const std::string& text) {
  int ends[2] = {-1, -1};
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  LDAP* handle = nullptr;
  BOOST_REQUIRE(ldap_init_fd(ends[0], LDAP_PROTO_TCP, nullptr, &handle) == LDAP_SUCCESS);
  int id = 0;
  const int code =
      ldap_search_ext(handle, "dc=x", LDAP_SCOPE_BASE, text.c_str(), nullptr, 0, nullptr, nullptr, nullptr, 0, &id);
  std::string out(200'000, ' ');
  const auto got = ::recv(ends[1], out.data(), out.size(), MSG_DONTWAIT);
  ldap_unbind_ext(handle, nullptr, nullptr);
  ::close(ends[1]);
  BOOST_REQUIRE(code == LDAP_SUCCESS);
  BOOST_REQUIRE(got > 0);
  return filter_of(shortest({out.data(), static_cast<std::size_t>(got)}));
}

std::string by_us(const std::string& text) {
  std::string out;
  ber_writer to{out};
  BOOST_REQUIRE(encode_filter(text, to) == "");
  return out;
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
    "(&)",
    "(|)",
    "( uid=user1)",
    "(& (a=b) (c=d))",
    "(! (a= b ))",
    "(cn:caseExactMatch:=Fred Flintstone)",
    "(cn:=Betty Rubble)",
    "(sn:dn:2.4.6.8.10:=Barney \\28Rubble)",
    "(o:dn:=Ace Industry)",
    "(:1.2.3:=Wilma Flintstone)",
    "(:dn:2.4.6.8.10:=Dino)",
    "(userAccountControl:1.2.840.113556.1.4.803:=2)",
    "(cn=" + std::string(127, 'x') + ")",
    "(cn=" + std::string(128, 'x') + ")",
    "(&(cn=" + std::string(70'000, 'x') + ")(a=1))",
};

}  // namespace

BOOST_AUTO_TEST_CASE(filters_are_encoded_as_libldap_does_it) {
  for (const auto& filter : filters) {
    BOOST_TEST_CONTEXT(filter.substr(0, 80)) {
      const auto ours = by_us(filter);
      BOOST_TEST((shortest(ours) == ours));
      BOOST_TEST((ours == by_libldap(filter)));
    }
  }
}

BOOST_AUTO_TEST_CASE(spaces_between_filters_are_nothing) {
  BOOST_TEST((by_us(" (a=b) ") == by_us("(a=b)")));
  BOOST_TEST((by_us("(& (a=b) (c=d) )") == by_us("(&(a=b)(c=d))")));
  BOOST_TEST((by_us("( ! ( a=b) )") == by_us("(!(a=b))")));
  BOOST_TEST((by_us("(a= b )") != by_us("(a=b)")));
}

BOOST_AUTO_TEST_CASE(takes_every_example_of_rfc_4515) {
  for (const auto* text :
       {"(cn=Babs Jensen)", "(!(cn=Tim Howes))", "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))",
        "(o=univ*of*mich*)", "(seeAlso=)", "(cn:caseExactMatch:=Fred Flintstone)", "(cn:=Betty Rubble)",
        "(sn:dn:2.4.6.8.10:=Barney Rubble)", "(o:dn:=Ace Industry)", "(:1.2.3:=Wilma Flintstone)",
        "(:DN:2.4.6.8.10:=Dino)", "(o=Parens R Us \\28for all your parenthetical needs\\29)", "(cn=*\\2A*)",
        "(filename=C:\\5cMyFile)", "(bin=\\00\\00\\00\\04)", "(sn=Lu\\c4\\8di\\c4\\87)",
        "(1.3.6.1.4.1.1466.0=\\04\\02\\48\\69)"}) {
    check_good(text);
  }
}

BOOST_AUTO_TEST_CASE(takes_presence_ranges_options_spaces_and_absolute_truth) {
  for (const auto* text : {"(objectClass=*)", "(age>=18)", "(age<=65)", "(cn~=jon)", "(cn;lang-de=Jörg)", "(&)", "(|)",
                           "(& (a=b) (c=d) )", " (a=b) ", "(userAccountControl:1.2.840.113556.1.4.803:=2)"}) {
    check_good(text);
  }
}

BOOST_AUTO_TEST_CASE(takes_what_the_builders_make_of_anything) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  check_good(filter::all_of({filter::equal("cn", all), filter::negate(filter::substring("sn", all, {all}, all))}));
}

BOOST_AUTO_TEST_CASE(says_what_is_wrong_and_where) {
  check_bad("", "empty");
  check_bad("cn=x", "starts with '('");
  check_bad("(cn=x", "')' is missing");
  check_bad("(&(cn=x)", "')' is missing");
  check_bad("(cn=x))", "nothing may follow the filter at character 7");
  check_bad("(cn=x)(sn=y)", "nothing may follow");
  check_bad("(cn)", "'=' is missing");
  check_bad("(=x)", "no attribute description");
  check_bad("(c n=x)", "no attribute description");
  check_bad("(!(a=b)(c=d))", "'!' takes one filter");
  check_bad("(!)", "'!' takes one filter");
  check_bad("(cn=a\\zz)", "two hexadecimal digits at character 6");
  check_bad("(cn=a\\4)", "two hexadecimal digits");
  check_bad("(cn=a(b)", "must be escaped");
  check_bad("(cn=a**b)", "two '*'");
  check_bad("(age>=1*)", "'*' must be escaped");
  check_bad("()", "'=' is missing");
  check_bad("(:=x)", "no attribute description");
  check_bad(std::string{"(cn=a\0b)", 8}, "must be escaped");
}

BOOST_AUTO_TEST_CASE(refuses_filters_nested_without_end) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "(!";
  check_bad(deep + "(a=b)", "nested too deeply");
}
