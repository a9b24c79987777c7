// The example of docs/controls.md is the one that is compiled here, and it does what the page says.
#include "cli.hpp"
#include "understudy/messages/ber.hpp"
#include "understudy/messages/hex.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy::test;

namespace {

program_result change(const std::string& file, const std::string& from, const std::string& to) {
  return run_program({{UNDERSTUDY_CONTROLS_EXAMPLE, file, user_dn(7), from, to}, {}, {}, {}});
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_page_about_controls_shows_the_example_as_it_is) {
  const std::filesystem::path source = UNDERSTUDY_SOURCE_DIR;
  const auto page = read_file(source / "docs/controls.md");
  BOOST_TEST(contains(page, "```cpp\n" + read_file(source / "tools/examples/3_assertion.cpp") + "```\n"));
}

BOOST_FIXTURE_TEST_CASE(an_assertion_keeps_a_change_from_undoing_another, directory_fixture) {
  const auto first = change(file, "user7@example.com", "new@example.com");
  check_exit(first, 0);
  BOOST_TEST(first.output == "changed to new@example.com\n");
  BOOST_TEST((directory.values(user_dn(7), "mail") == std::vector<std::string>{"new@example.com"}));
  const auto second = change(file, "user7@example.com", "mine@example.com");
  check_exit(second, 1);
  BOOST_TEST(second.output == "not changed: it is not user7@example.com any more\n");
  BOOST_TEST((directory.values(user_dn(7), "mail") == std::vector<std::string>{"new@example.com"}));
  config_for impatient;
  impatient.more = "[recovery]\nauto_reconnect = false\nauto_recovery = false\n";
  const auto once = config(directory.url(), impatient);
  directory.stop();
  check_exit(change(once, "new@example.com", "other@example.com"), 2);
}

BOOST_AUTO_TEST_CASE(the_page_about_controls_has_the_octets_right) {
  const auto value =
      understudy::ber_element(0xa3, understudy::ber_octets("mail") + understudy::ber_octets("user7@example.com"));
  std::string text;
  for (const char c : value) {
    understudy::internal::append_hex(text, {&c, 1});
    text += ' ';
  }
  BOOST_TEST(text == "a3 19 04 04 6d 61 69 6c 04 11 75 73 65 72 37 40 65 78 61 6d 70 6c 65 2e 63 6f 6d ");
}
