// LDIF change records are read as RFC 2849 says, and what is wrong is named with its line.
#include "understudy/tools/ldif_reader.hpp"

#include "support/temporary_folder.hpp"
#include "understudy/tools/ldif_lines.hpp"
#include "understudy/tools/ldif_writer.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;

namespace {

std::vector<cli::ldif_change> read(const std::string& text) { return cli::read_ldif_changes(text); }

template <class Operation>
Operation only(const std::string& text, bool content_is_add = false) {
  auto changes = cli::read_ldif_changes(text, content_is_add);
  BOOST_REQUIRE_EQUAL(changes.size(), 1u);
  BOOST_REQUIRE(std::holds_alternative<Operation>(changes.front().op));
  return std::get<Operation>(changes.front().op);
}

std::string complaint(const std::string& text) {
  try {
    cli::read_ldif_changes(text);
  } catch (const cli::ldif_error& e) {
    return e.what();
  }
  return "";
}

void check_problem(const std::string& text, std::size_t line, const std::string& part) {
  const auto said = complaint(text);
  BOOST_TEST(said.find("line " + std::to_string(line) + ": ") == 0u, "said \"" << said << "\" about:\n" << text);
  BOOST_TEST(said.find(part) != std::string::npos, "said \"" << said << "\", not \"" << part << "\"");
}

}  // namespace

BOOST_AUTO_TEST_CASE(reads_an_add) {
  const auto op = only<add_request>(
      "version: 1\n\ndn: cn=a,dc=x\nchangetype: add\nobjectClass: top\ncn: a\nobjectclass: person\ncn:: w7w=\n");
  BOOST_TEST(op.dn == "cn=a,dc=x");
  BOOST_REQUIRE_EQUAL(op.attributes.size(), 2u);
  BOOST_TEST(op.attributes[0].name == "objectClass");
  BOOST_TEST(op.attributes[0].values == (std::vector<std::string>{"top", "person"}), boost::test_tools::per_element());
  BOOST_TEST(op.attributes[1].values == (std::vector<std::string>{"a", "ü"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(reads_a_modify) {
  const auto op = only<modify_request>(
      "dn:: Y249w7wsZGM9eA==\nchangetype: modify\nadd: mail\nmail: a@b\nmail: c@d\n-\ndelete: description\n-\n"
      "delete: cn\ncn: old\n-\nreplace: sn\n-\nincrement: uidNumber\nuidNumber: 2\n-\n");
  BOOST_TEST(op.dn == "cn=ü,dc=x");
  BOOST_REQUIRE_EQUAL(op.changes.size(), 5u);
  BOOST_CHECK(op.changes[0].op == modification::kind::add);
  BOOST_TEST(op.changes[0].target.values.size() == 2u);
  BOOST_CHECK(op.changes[1].op == modification::kind::remove);
  BOOST_TEST(op.changes[1].target.values.empty());
  BOOST_TEST(op.changes[2].target.values.at(0) == "old");
  BOOST_CHECK(op.changes[3].op == modification::kind::replace);
  BOOST_CHECK(op.changes[4].op == modification::kind::increment);
}

BOOST_AUTO_TEST_CASE(reads_a_modify_without_its_last_dash) {
  BOOST_TEST(only<modify_request>("dn: cn=a\nchangetype: modify\nreplace: sn\nsn: b").changes.size() == 1u);
}

BOOST_AUTO_TEST_CASE(reads_a_delete) {
  BOOST_TEST(only<delete_request>("dn: cn=a\nchangetype: delete\n").dn == "cn=a");
}

BOOST_AUTO_TEST_CASE(reads_modrdn_and_moddn) {
  const auto renamed = only<modify_dn_request>("dn: cn=a,dc=x\nchangetype: modrdn\nnewrdn: cn=b\ndeleteoldrdn: 0\n");
  BOOST_TEST(renamed.new_rdn == "cn=b");
  BOOST_TEST(!renamed.delete_old_rdn);
  BOOST_TEST(!renamed.new_superior.has_value());
  const auto moved = only<modify_dn_request>(
      "dn: cn=a,dc=x\nchangetype: moddn\nnewrdn: cn=a\ndeleteoldrdn: 1\nnewsuperior: ou=p,dc=x\n");
  BOOST_TEST(moved.delete_old_rdn);
  BOOST_TEST(moved.new_superior.value() == "ou=p,dc=x");
}

BOOST_AUTO_TEST_CASE(unfolds_lines_and_skips_comments) {
  const auto op = only<add_request>(
      "# a comment\n#  folded\n  too\ndn: cn=a,\n dc=x\n# between\nchangetype: add\nsn: one\n  two\n# last\n");
  BOOST_TEST(op.dn == "cn=a,dc=x");
  BOOST_TEST(op.attributes.at(0).values.at(0) == "one two");
}

BOOST_AUTO_TEST_CASE(reads_lines_of_every_kind_of_end) {
  BOOST_TEST(read("dn: cn=a\r\nchangetype: delete\r\n\r\n\r\n\r\ndn: cn=b\r\nchangetype: delete").size() == 2u);
  BOOST_TEST(read("").empty());
  BOOST_TEST(read("\n\n# nothing\n\n").empty());
  BOOST_TEST(read("version: 1\n").empty());
  BOOST_TEST(read("version: 1\ndn: cn=a\nchangetype: delete\n").size() == 1u);
}

BOOST_AUTO_TEST_CASE(keeps_the_line_of_each_record) {
  const auto changes = read("# c\ndn: cn=a\nchangetype: delete\n\n\ndn: cn=\n b\nchangetype: delete\n");
  BOOST_TEST(changes.at(0).line == 2u);
  BOOST_TEST(changes.at(1).line == 6u);
  BOOST_TEST(changes.at(1).dn == "cn=b");
}

BOOST_AUTO_TEST_CASE(reads_controls) {
  const auto changes = read(
      "dn: cn=a\ncontrol: 1.2.3 true\ncontrol: 1.2.4\ncontrol: 1.2.5 false: plain\ncontrol: 1.2.6 true:: AAE=\n"
      "control: 1.2.7: x\nchangetype: delete\n");
  const auto& controls = changes.at(0).controls;
  BOOST_REQUIRE_EQUAL(controls.size(), 5u);
  BOOST_TEST(controls[0].critical);
  BOOST_TEST(!controls[0].value.has_value());
  BOOST_TEST(!controls[1].critical);
  BOOST_TEST(controls[2].value.value() == "plain");
  BOOST_TEST(controls[3].value.value() == std::string("\0\1", 2));
  BOOST_TEST(controls[4].oid == "1.2.7");
  BOOST_TEST(controls[4].value.value() == "x");
}

BOOST_AUTO_TEST_CASE(reads_values_from_files) {
  const test::temporary_folder folder;
  const std::string bytes("\0\n\xff", 3);
  const auto path = folder.write("a b", bytes).string();
  const auto url = "file://" + path.substr(0, path.size() - 3) + "a%20b";
  const auto op = only<add_request>("dn: cn=a\nchangetype: add\njpegPhoto:< " + url + "\n");
  BOOST_TEST(op.attributes.at(0).values.at(0) == bytes);
  check_problem("dn: cn=a\nchangetype: add\ncn:< file:///does/not/exist\n", 3, "cannot read");
  check_problem("dn: cn=a\nchangetype: add\ncn:< http://x/\n", 3, "only file:// URLs");
}

BOOST_AUTO_TEST_CASE(takes_content_records_as_adds_when_asked) {
  BOOST_TEST(only<add_request>("dn: cn=a\ncn: a\n", true).attributes.size() == 1u);
  check_problem("dn: cn=a\ncn: a\n", 2, "expected \"changetype:\"");
}

BOOST_AUTO_TEST_CASE(reads_back_what_it_writes) {
  entry e{"cn=ü,dc=x", {{"cn", {"ü", " x", std::string(300, 'y')}}, {"jpegPhoto", {std::string("\0\1\2", 3)}}}};
  std::string text;
  cli::write_ldif(text, e);
  const auto op = only<add_request>(text, true);
  BOOST_TEST(op.dn == e.dn);
  for (std::size_t i = 0; i < e.attributes.size(); ++i)
    BOOST_TEST(op.attributes.at(i).values == e.attributes[i].values, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(names_the_line_of_each_mistake) {
  check_problem(" cn=a\n", 1, "continuation");
  check_problem("dn: cn=a\n\n b\n", 3, "continuation");
  check_problem("dn: cn=a\nchangetype: delete\n\nnonsense\n", 4, "expected \"name: value\"");
  check_problem("cn: a\n", 1, "expected \"dn:\"");
  check_problem("dn:: Y249YQBi\nchangetype: delete\n", 1, "dn contains a NUL byte");
  check_problem("dn:: ???\n", 1, "no base64");
  check_problem("dn: cn=a\n", 1, "the record ends");
  check_problem("dn: cn=a\nchangetype: replace\n", 2, "unknown changetype \"replace\"");
  check_problem("dn: cn=a\nchangetype: delete\ncn: a\n", 3, "does not belong in a delete record");
  check_problem("dn: cn=a\nchangetype: add\n", 2, "needs attributes");
  check_problem("dn: cn=a\nchangetype: modify\n", 2, "needs changes");
  check_problem("dn: cn=a\nchangetype: modify\ncn: a\n", 3, "expected \"add:\"");
  check_problem("dn: cn=a\nchangetype: modify\nadd: cn\n-\n", 4, "no value of cn");
  check_problem("dn: cn=a\nchangetype: modify\nadd: cn\nsn: b\n-\n", 4, "expected a value of cn or \"-\"");
  check_problem("dn: cn=a\nchangetype: modrdn\ndeleteoldrdn: 1\n", 3, "expected \"newrdn:\"");
  check_problem("dn: cn=a\nchangetype: modrdn\nnewrdn:: Y249YQBi\ndeleteoldrdn: 1\n", 3, "newrdn contains a NUL byte");
  check_problem("dn: cn=a\nchangetype: modrdn\nnewrdn: b\ndeleteoldrdn: 1\nnewsuperior:: AA==\n", 5,
                "newsuperior contains");
  check_problem("dn: cn=a\nchangetype: modrdn\nnewrdn: cn=b\ndeleteoldrdn: yes\n", 4, "0 or 1");
  check_problem("dn: cn=a\ncontrol: 1.2 maybe\nchangetype: delete\n", 2, "control");
  check_problem("version: 2\n\ndn: cn=a\nchangetype: delete\n", 1, "version 2");
}
