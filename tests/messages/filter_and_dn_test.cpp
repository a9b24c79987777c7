// Filters and DNs built from user input mean what the program meant, whatever the user typed.
#include "understudy/messages/dn.hpp"
#include "understudy/messages/filter.hpp"
#include "understudy/messages/name.hpp"

#include <boost/test/unit_test.hpp>
#include <random>
#include <stdexcept>

using namespace understudy;
using namespace understudy::internal;

namespace {

// A reader of its own. Understudy has none: which names a server takes is for the server to say.
bool is_special(char c) { return std::string_view{"\"+,;<>\\="}.find(c) != std::string_view::npos; }
bool is_hex(char c) { return std::string_view{"0123456789abcdefABCDEF"}.find(c) != std::string_view::npos; }

std::string at(std::size_t position, const std::string& problem) {
  return problem + " at character " + std::to_string(position + 1);
}

// Walks over one attribute value; stops at the ',' or '+' (or ';', which RFC 2253 allowed) that ends it.
std::string check_value(std::string_view text, std::size_t& i) {
  while (i < text.size() && text[i] != ',' && text[i] != '+' && text[i] != ';') {
    if (text[i] == '\\') {
      const bool pair = i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2]);
      const bool single = i + 1 < text.size() && (is_special(text[i + 1]) || text[i + 1] == ' ' || text[i + 1] == '#');
      if (!pair && !single)
        return at(i, "a backslash that escapes nothing (write \\xx or \\ before a special character)");
      i += pair ? 3 : 2;
    } else if (text[i] == '\0') {
      return at(i, "a NUL byte (write \\00)");
    } else if (text[i] == '"' || text[i] == '<' || text[i] == '>') {
      return at(i, std::string{"an unescaped "} + text[i]);
    } else {
      ++i;
    }
  }
  return {};
}

std::string check_dn(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto start = i;
    while (i < text.size() && text[i] == ' ') ++i;
    const auto equals = text.find('=', i);
    if (equals == std::string_view::npos) return at(start, "a part without \"attribute=\"");
    auto type = text.substr(i, equals - i);
    while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
    if (!is_attribute_description(type)) return at(i, "\"" + std::string{type} + "\", which is no attribute type,");
    i = equals + 1;
    if (auto problem = check_value(text, i); !problem.empty()) return problem;
    if (i == text.size()) break;
    if (++i == text.size()) return at(i - 1, "a separator with nothing behind it");
  }
  return {};
}

}  // namespace

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

BOOST_AUTO_TEST_CASE(every_built_dn_is_one_by_the_grammar_of_rfc_4514) {
  std::mt19937 random{11};
  for (int round = 0; round < 2000; ++round) {
    std::string value(random() % 40, '\0');
    for (auto& c : value) c = static_cast<char>(random());
    BOOST_TEST_REQUIRE(check_dn(dn::child(dn::rdn("cn", value), "dc=example,dc=com")) == "");
  }
}

BOOST_AUTO_TEST_CASE(the_first_value_of_a_dn_is_as_it_was_before_it_was_escaped) {
  BOOST_TEST(dn::first_value("cn=Doe\\, Jane,ou=people") == "Doe, Jane");
  BOOST_TEST(dn::first_value("cn = a b  ,dc=x") == "a b");
  BOOST_TEST(dn::first_value("cn=\\20a\\ +sn=b,dc=x") == " a ");
  BOOST_TEST(dn::first_value("cn=J\\c3\\bcrgen") == "J\xc3\xbcrgen");
  for (const auto* none : {"", "cn", "a,cn=b", "cn=", "cn=#0401", "cn=a\\"}) BOOST_TEST(dn::first_value(none) == "");
  std::mt19937 random{12};
  for (int round = 0; round < 2000; ++round) {
    std::string value(1 + random() % 20, 'x');
    for (auto& c : value) c = static_cast<char>(random());
    BOOST_TEST_REQUIRE((dn::first_value(dn::child(dn::rdn("cn", value), "dc=example,dc=com")) == value));
  }
}
