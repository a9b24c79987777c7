// What referrals' URLs name, and which of them name nothing that could be asked.
#include "understudy/actors/authenticator/ldap_url.hpp"

#include <boost/test/unit_test.hpp>
#include <random>

using namespace understudy;
using namespace understudy::internal;

BOOST_AUTO_TEST_CASE(an_ldap_url_names_a_server_and_what_to_search_for_there) {
  const auto plain = parse_ldap_url("ldap://b.example");
  BOOST_TEST_REQUIRE(plain.has_value());
  BOOST_TEST(plain->server == "b.example:389");
  BOOST_TEST((!plain->dn && !plain->scope && !plain->filter));
  const auto whole = parse_ldap_url("LDAP://b.example:1389/ou=a%20b,dc=x?cn,mail?ONE?(cn=%3f%2a)?x-ext=1");
  BOOST_TEST_REQUIRE(whole.has_value());
  BOOST_TEST(whole->server == "b.example:1389");
  BOOST_TEST(whole->dn.value() == "ou=a b,dc=x");
  BOOST_TEST((whole->scope == search_scope::one));
  BOOST_TEST(whole->filter.value() == "(cn=?*)");
  const std::pair<const char*, search_scope> scopes[] = {{"base", search_scope::base},
                                                         {"one", search_scope::one},
                                                         {"sub", search_scope::subtree},
                                                         {"subordinate", search_scope::children}};
  for (const auto& [name, scope] : scopes)
    BOOST_TEST((parse_ldap_url("ldap://b/??" + std::string{name})->scope == scope), name);
  // What is empty is as if it were absent.
  for (const auto* const empty : {"ldap://b/", "ldap://b/?\?\?", "ldap://b/?\?\?\?"}) {
    const auto url = parse_ldap_url(empty);
    BOOST_TEST_REQUIRE(url.has_value(), empty);
    BOOST_TEST((!url->dn && !url->scope && !url->filter), empty);
  }
  BOOST_TEST(parse_ldap_url("ldaps://b/")->server == "b:636");
  BOOST_TEST(parse_ldap_url("ldap://[::1]:7/dc=x")->server == "[::1]:7");
  BOOST_TEST(parse_ldap_url("ldap://[2001:db8::1]/")->server == "[2001:db8::1]:389");
}

BOOST_AUTO_TEST_CASE(urls_that_name_nothing_to_ask_are_none) {
  for (const auto* const none : {"",
                                 "ldap:",
                                 "ldap://",
                                 "ldap:///dc=x",
                                 "http://b/",
                                 "ldapi://%2Frun%2Fslapd",
                                 "b.example:389",
                                 "ldap://b:0/",
                                 "ldap://b:65536/",
                                 "ldap://b:x/",
                                 "ldap://user@b/",
                                 "ldap://b/dc=%zz",
                                 "ldap://b/dc=%0",
                                 "ldap://b/dc=%00",
                                 "ldap://b/?\?all",
                                 "ldap://b/?\?\?%00",
                                 "ldap://b/?\?\?\?!x-must",
                                 "ldap://b/?\?\?\?a=1,!x-must=2",
                                 "ldap://b?dc=x",
                                 "ldap://b c/"})
    BOOST_TEST(!parse_ldap_url(none).has_value(), none);
  BOOST_TEST(parse_ldap_url("ldap://b/" + std::string(8000, 'x')).has_value());
  BOOST_TEST(!parse_ldap_url("ldap://b/" + std::string(9000, 'x')).has_value());
}

BOOST_AUTO_TEST_CASE(any_bytes_are_an_ldap_url_or_none) {
  std::mt19937 random{4};
  const std::string whole = "ldap://b.example:1389/ou=a%20b,dc=x?cn?one?(cn=%3f)?x=1";
  for (int i = 0; i < 20'000; ++i) {
    auto text = whole;
    for (int n = 1 + static_cast<int>(random() % 4); n > 0; --n)
      text[random() % text.size()] = static_cast<char>(random() % 256);
    text.resize(random() % (text.size() + 1));
    const auto url = parse_ldap_url(text);
    if (!url) continue;
    BOOST_TEST_REQUIRE(url->server.find(':') != std::string::npos);
    BOOST_TEST_REQUIRE((!url->dn || (!url->dn->empty() && url->dn->find('\0') == std::string::npos)));
  }
}
