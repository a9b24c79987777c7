// Entries come out as ldapsearch -LLL of OpenLDAP 2.5 prints them: the expected texts are its own output.
#include "understudy/tools/ldif_writer.hpp"
#include "understudy/tools/base64.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;

namespace {

std::string written(const entry& e) {
  std::string out;
  cli::write_ldif(out, e);
  return out;
}

std::string value_line(const std::string& name, const std::string& value) {
  const std::string head = "dn: cn=a\n";
  const auto text = written({"cn=a", {{name, {value}}}});
  BOOST_REQUIRE_EQUAL(text.substr(0, head.size()), head);
  BOOST_REQUIRE_EQUAL(text.substr(text.size() - 2), "\n\n");
  return text.substr(head.size(), text.size() - head.size() - 2);
}

std::string digits(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += static_cast<char>('0' + i % 10);
  return text;
}

}  // namespace

BOOST_AUTO_TEST_CASE(prints_an_entry_and_an_empty_line) {
  BOOST_TEST(written({"dc=example,dc=com", {{"objectClass", {"dcObject", "organization"}}, {"dc", {"example"}}}}) ==
             "dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\ndc: example\n\n");
}

BOOST_AUTO_TEST_CASE(prints_unsafe_values_in_base64) {
  BOOST_TEST(value_line("description", " leading") == "description:: IGxlYWRpbmc=");
  BOOST_TEST(value_line("description", "trailing ") == "description:: dHJhaWxpbmcg");
  BOOST_TEST(value_line("description", "é") == "description:: w6k=");
  BOOST_TEST(value_line("description", "a\n\"") == "description:: YQoi");
  BOOST_TEST(value_line("description", ":c") == "description:: OmM=");
  BOOST_TEST(value_line("description", "<a") == "description:: PGE=");
  BOOST_TEST(value_line("description", "\x7f\x7f") == "description:: f38=");
  BOOST_TEST(value_line("description", std::string("\0", 1)) == "description:: AA==");
}

BOOST_AUTO_TEST_CASE(prints_safe_values_as_they_are) {
  BOOST_TEST(value_line("description", "a  b") == "description: a  b");
  BOOST_TEST(value_line("description", "a:b<") == "description: a:b<");
  BOOST_TEST(value_line("description", "#a") == "description: #a");
}

BOOST_AUTO_TEST_CASE(never_shows_a_password_or_binary_attribute_plainly) {
  BOOST_TEST(value_line("userPassword", "abc") == "userPassword:: YWJj");
  BOOST_TEST(value_line("userPassword;lang-en", "def") == "userPassword;lang-en: def");
  BOOST_TEST(value_line("userCertificate;binary", "abc") == "userCertificate;binary:: YWJj");
}

BOOST_AUTO_TEST_CASE(folds_after_78_columns) {
  const auto value = digits(160);
  BOOST_TEST(value_line("description", value.substr(0, 65)) == "description: " + value.substr(0, 65));
  BOOST_TEST(value_line("description", value) ==
             "description: " + value.substr(0, 65) + "\n " + value.substr(65, 77) + "\n " + value.substr(142));
}

BOOST_AUTO_TEST_CASE(folds_base64_after_78_columns) {
  const auto encoded = cli::base64_encode(std::string(150, '\xff'));
  BOOST_TEST(value_line("jpegPhoto", std::string(150, '\xff')) ==
             "jpegPhoto:: " + encoded.substr(0, 66) + "\n " + encoded.substr(66, 77) + "\n " + encoded.substr(143));
}

BOOST_AUTO_TEST_CASE(folds_and_encodes_names_of_entries_too) {
  BOOST_TEST(written({"cn=ü,dc=example,dc=com", {}}) == "dn:: Y249w7wsZGM9ZXhhbXBsZSxkYz1jb20=\n\n");
  const auto dn = "cn=" + digits(80);
  BOOST_TEST(written({dn, {}}) == "dn: " + dn.substr(0, 74) + "\n " + dn.substr(74) + "\n\n");
  BOOST_TEST(written({"", {}}) == "dn:\n\n");
}

BOOST_AUTO_TEST_CASE(prints_nothing_of_an_attribute_without_values) {
  BOOST_TEST(written({"cn=a", {{"cn", {}}, {"description", {""}}}}) == "dn: cn=a\ndescription:\n\n");
}

BOOST_AUTO_TEST_CASE(a_name_can_neither_end_its_line_nor_make_a_change_record) {
  BOOST_TEST(value_line("cn\n\ndn: cn=victim\nchangetype", "delete") ==
             "cn\\x0a\\x0adn\\x3a\\x20cn=victim\\x0achangetype: delete");
  BOOST_TEST(value_line("a\x1b[2J\xc2\x9b", "x") == "a\\x1b[2J\\xc2\\x9b: x");
  for (const std::string word : {"changetype", "ChangeType", "control", "dn", "DN", "newrdn", "version"})
    BOOST_TEST(value_line(word, "delete").substr(0, 2) == "\\x");
  BOOST_TEST(value_line("#cn", "x") == "\\x23cn: x");
  BOOST_TEST(value_line("-", "x") == "\\x2d: x");
  BOOST_TEST(value_line("", "x") == "\\x: x");
  // Sloppy and harmless ones stay as they are.
  for (const std::string name : {"cn;lang-de", "2.5.4.3", "o_dd", "x@y", "dnQualifier", "controlAccess"})
    BOOST_TEST(value_line(name, "x") == name + ": x");
}

BOOST_AUTO_TEST_CASE(a_reference_stays_a_comment) {
  std::string out;
  cli::write_ldif_reference(out, {"ldap://x/\n\ndn: cn=victim\nchangetype: delete", "ldap://\x1b]0;x\x07/"});
  BOOST_TEST(out == "# refldap://x/\\x0a\\x0adn: cn=victim\\x0achangetype: delete\n# refldap://\\x1b]0;x\\x07/\n\n");
}

BOOST_AUTO_TEST_CASE(prints_references_where_they_came) {
  result found;
  found.entries = {{"cn=a", {}}, {"cn=b", {}}};
  found.references = {{"ldap://x/"}, {"ldap://y/", "ldap://z/"}, {"ldap://end/"}};
  found.reference_positions = {0, 1, 2};
  std::string out;
  cli::write_ldif(out, found);
  BOOST_TEST(out == "# refldap://x/\n\ndn: cn=a\n\n# refldap://y/\n# refldap://z/\n\ndn: cn=b\n\n# refldap://end/\n\n");
}

BOOST_AUTO_TEST_CASE(prints_references_last_when_their_place_is_not_known) {
  result found;
  found.entries = {{"cn=a", {}}};
  found.references = {{"ldap://x/"}};
  std::string out;
  cli::write_ldif(out, found);
  BOOST_TEST(out == "dn: cn=a\n\n# refldap://x/\n\n");
}

BOOST_AUTO_TEST_CASE(folds_references_one_column_later) {
  const auto url = "ldap://" + digits(200);
  const auto line = "# ref" + url;
  std::string out;
  cli::write_ldif_reference(out, {url});
  BOOST_TEST(out == line.substr(0, 79) + "\n " + line.substr(79, 78) + "\n " + line.substr(157) + "\n\n");
}

BOOST_AUTO_TEST_CASE(base64_survives_a_round_trip) {
  std::string bytes;
  for (int i = 0; i < 600; ++i) {
    BOOST_TEST(cli::base64_decode(cli::base64_encode(bytes)).value() == bytes);
    bytes += static_cast<char>(i * 7);
  }
  BOOST_TEST(cli::base64_encode("Ma") == "TWE=");
}

BOOST_AUTO_TEST_CASE(base64_refuses_what_is_none) {
  for (const auto* text : {"a", "ab", "abc", "ab=c", "====", "=abc", "a===", "ab c", "YWJj\n", "Y-Jj"})
    BOOST_TEST(!cli::base64_decode(text).has_value(), text);
  BOOST_TEST(cli::base64_decode("").value().empty());
}
