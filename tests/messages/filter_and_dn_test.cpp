// Filters and DNs built from user input mean what the program meant, whatever the user typed.
#include "understudy/messages/dn.hpp"
#include "understudy/messages/filter.hpp"

#include <boost/test/unit_test.hpp>
#include <random>
#include <stdexcept>

using namespace understudy;

BOOST_AUTO_TEST_CASE(filter_specials_are_escaped) {
  BOOST_TEST(filter::equal("cn", "a*b(c)d\\e") == "(cn=a\\2ab\\28c\\29d\\5ce)");
  BOOST_TEST(filter::equal("cn", std::string_view{"a\0b", 3}) == "(cn=a\\00b)");
  BOOST_TEST(filter::equal("cn", "Zoë") == "(cn=Zoë)");
  BOOST_TEST(filter::equal("cn", "\xff\xc3") == "(cn=\\ff\\c3)");
}

BOOST_AUTO_TEST_CASE(filter_injection_cannot_add_a_clause) {
  const std::string typed = "*)(uid=*))(|(uid=*";
  const auto text = filter::all_of({filter::equal("objectClass", "person"), filter::equal("uid", typed)});
  BOOST_TEST(text == "(&(objectClass=person)(uid=\\2a\\29\\28uid=\\2a\\29\\29\\28|\\28uid=\\2a))");
}

BOOST_AUTO_TEST_CASE(escaped_values_never_hold_a_structural_character) {
  std::mt19937 random{7};
  for (int round = 0; round < 2000; ++round) {
    std::string value(random() % 40, '\0');
    for (auto& c : value) c = static_cast<char>(random());
    const auto escaped = filter::escape(value);
    BOOST_TEST_REQUIRE(escaped.find_first_of(std::string_view{"*()\0", 4}) == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(filter_parts_make_every_kind) {
  BOOST_TEST(filter::present("mail") == "(mail=*)");
  BOOST_TEST(filter::greater_or_equal("uidNumber", "5") == "(uidNumber>=5)");
  BOOST_TEST(filter::less_or_equal("uidNumber", "5") == "(uidNumber<=5)");
  BOOST_TEST(filter::approx("sn", "smith") == "(sn~=smith)");
  BOOST_TEST(filter::substring("cn", "a*", {"b", "", "c"}, "d") == "(cn=a\\2a*b*c*d)");
  BOOST_TEST(filter::negate(filter::any_of({"(a=1)", "(b=2)"})) == "(!(|(a=1)(b=2)))");
}

BOOST_AUTO_TEST_CASE(filter_builders_refuse_what_is_no_attribute) {
  for (const auto* bad : {"", "u id", "uid)(x", "1.2.", "01.2", "cn;", "cn;a b", "-cn", "cn*"})
    BOOST_CHECK_THROW(filter::equal(bad, "x"), std::invalid_argument);
  for (const auto* good : {"cn", "cn;lang-de", "2.5.4.3", "x-a1", "userCertificate;binary"})
    BOOST_CHECK_NO_THROW(filter::equal(good, "x"));
  BOOST_CHECK_THROW(filter::all_of({}), std::invalid_argument);
  BOOST_CHECK_THROW(filter::substring("cn", "", {}, ""), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(dn_values_are_escaped) {
  BOOST_TEST(dn::rdn("cn", " #a,b+c\"d\\e<f>g;h=i ") == "cn=\\ #a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h\\=i\\ ");
  BOOST_TEST(dn::rdn("cn", "#x") == "cn=\\#x");
  BOOST_TEST(dn::rdn("cn", std::string_view{"a\0b\n", 4}) == "cn=a\\00b\\0a");
  BOOST_TEST(dn::rdn({{"cn", "a"}, {"sn", "b+"}}) == "cn=a+sn=b\\+");
  BOOST_TEST(dn::child(dn::rdn("uid", "x,ou=admins"), "dc=example,dc=com") == "uid=x\\,ou\\=admins,dc=example,dc=com");
  BOOST_CHECK_THROW(dn::rdn("cn=", "x"), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(dn_check_says_what_is_wrong_and_where) {
  for (const auto* good :
       {"", "dc=example,dc=com", "cn=a\\,b,dc=x", "cn=a\\2cb", "cn=a+sn=b,dc=x", "cn=#04024869", "cn="})
    BOOST_TEST(dn::check(good) == "");
  BOOST_TEST(dn::check("nonsense") == "a part without \"attribute=\" at character 1");
  BOOST_TEST(dn::check("cn=a,") == "a separator with nothing behind it at character 5");
  BOOST_TEST(dn::check("cn=a\\") ==
             "a backslash that escapes nothing (write \\xx or \\ before a special character) at character 5");
  BOOST_TEST(dn::check(std::string_view{"cn=a\0b", 6}) == "a NUL byte (write \\00) at character 5");
  BOOST_TEST(dn::check("c n=a") == "\"c n\", which is no attribute type, at character 1");
}

BOOST_AUTO_TEST_CASE(every_built_dn_passes_the_check) {
  std::mt19937 random{11};
  for (int round = 0; round < 2000; ++round) {
    std::string value(random() % 40, '\0');
    for (auto& c : value) c = static_cast<char>(random());
    BOOST_TEST_REQUIRE(dn::check(dn::child(dn::rdn("cn", value), "dc=example,dc=com")) == "");
  }
}
