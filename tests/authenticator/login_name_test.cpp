// Names of logins and the places that they are put into.
#include "understudy/actors/authenticator/login_name.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy::internal;

namespace {

login_name parsed(std::string_view typed) {
  const auto found = parse_login_name(typed);
  BOOST_TEST_REQUIRE(found.has_value());
  return *found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(names_of_windows_have_a_domain) {
  const auto principal = parsed("jane@ad.example.com");
  BOOST_TEST(principal.user == "jane@ad.example.com");
  BOOST_TEST(principal.name == "jane");
  BOOST_TEST(principal.domain == "ad.example.com");
  const auto down_level = parsed("EXAMPLE\\jane");
  BOOST_TEST(down_level.name == "jane");
  BOOST_TEST(down_level.domain == "EXAMPLE");
  for (const auto* plain : {"jane", "@jane", "jane@", "\\jane", "jane\\", "a\\b\\c"}) {
    BOOST_TEST(parsed(plain).name == plain);
    BOOST_TEST(parsed(plain).domain == "");
  }
  BOOST_TEST(!parse_login_name("").has_value());
  BOOST_TEST(parse_login_name(std::string(longest_login_name, 'a')).has_value());
  BOOST_TEST(!parse_login_name(std::string(longest_login_name + 1, 'a')).has_value());
}

BOOST_AUTO_TEST_CASE(names_are_escaped_for_where_they_stand) {
  const std::string hostile{"*)(uid=*\\\0", 10};
  const auto login = parsed(hostile);
  BOOST_TEST(fill_filter("(&(uid={user})(cn=x))", login).value_or("") == "(&(uid=\\2a\\29\\28uid=\\2a\\5c\\00)(cn=x))");
  BOOST_TEST(fill_bind_name("uid={user},dc=a", parsed("x,dc=b+c=\"#")).value_or("") ==
             "uid=x\\,dc\\=b\\+c\\=\\\"#,dc=a");
  BOOST_TEST(fill_bind_name("uid={user},dc=a", parsed(" x ")).value_or("") == "uid=\\ x\\ ,dc=a");
  // A name cannot bring a place for another one.
  BOOST_TEST(fill_filter("(uid={user})", parsed("{name}")).value_or("") == "(uid={name})");
}

BOOST_AUTO_TEST_CASE(templates_want_what_a_name_has) {
  const auto login = parsed("EXAMPLE\\jane");
  BOOST_TEST(fill_filter("(&(sAMAccountName={name})(dom={domain}))", login).value_or("") ==
             "(&(sAMAccountName=jane)(dom=EXAMPLE))");
  BOOST_TEST(!fill_filter("(dom={domain})", parsed("jane")).has_value());
  BOOST_TEST(fill_bind_name("{user}", login).value_or("") == "EXAMPLE\\jane");
  BOOST_TEST(fill_bind_name("{name}@example.com", login).value_or("") == "jane@example.com");
  BOOST_TEST(fill_bind_name("EXAMPLE\\{user}", parsed("jane")).value_or("") == "EXAMPLE\\jane");
}

BOOST_AUTO_TEST_CASE(what_is_no_dn_takes_names_of_accounts_alone) {
  // As whom one would be bound is what was typed, and that would be a DN.
  for (const std::string other : {"cn=admin,dc=example,dc=com", "a\nb", "<SID=S-1-5>", "a,b", "a*b", "\xff"})
    BOOST_TEST(!fill_bind_name("{user}@example.com", parsed(other)).has_value(), other);
  BOOST_TEST(!fill_bind_name("{user}", parsed("cn=admin,dc=example,dc=com")).has_value());
  BOOST_TEST(!fill_bind_name("{name}@example.com", parsed("jane@evil.org@example.org")).has_value());
  BOOST_TEST(fill_bind_name("{user}@example.com", parsed("J\xc3\xbcrgen O'Neil")).value_or("") ==
             "J\xc3\xbcrgen O'Neil@example.com");
  BOOST_TEST(fill_bind_name("<SID={user}>", parsed("S-1-5-21")).value_or("") == "<SID=S-1-5-21>");
}
