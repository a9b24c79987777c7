// What stands on a terminal, and that what does not is told.
#include "understudy/tools/screen.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace understudy::cli;

namespace {

std::string numbered_lines(std::size_t count) {
  std::string all;
  for (std::size_t i = 1; i <= count; ++i) all += "line " + std::to_string(i) + "\n";
  return all;
}

std::size_t lines_in(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_fits_is_shown_as_it_is) {
  BOOST_TEST(fitted(numbered_lines(23), {24, 80}) == numbered_lines(23));
  BOOST_TEST(fitted("", {24, 80}).empty());
  BOOST_TEST(fitted("no end", {24, 80}) == "no end");
}

BOOST_AUTO_TEST_CASE(of_what_is_longer_the_last_line_says_how_much_is_hidden) {
  BOOST_TEST(fitted(numbered_lines(24), {24, 80}) == numbered_lines(22) + "… 2 lines more; all without --watch\n");
  BOOST_TEST(fitted(numbered_lines(1000), {24, 80}) == numbered_lines(22) + "… 978 lines more; all without --watch\n");
  BOOST_TEST(fitted("a\n" + std::string(170, 'b') + "\n", {4, 80}) == "a\n… 1 line more; all without --watch\n");
}

BOOST_AUTO_TEST_CASE(a_line_that_is_wrapped_takes_more_than_one_row) {
  const auto wide = std::string(161, 'x') + "\n";
  BOOST_TEST(fitted(wide + wide, {7, 80}) == wide + wide);
  BOOST_TEST(fitted(wide + wide, {6, 80}) == wide + "… 1 line more; all without --watch\n");
  // Characters count, not bytes.
  std::string accented;
  for (int i = 0; i < 80; ++i) accented += "é";
  BOOST_TEST(fitted(accented + "\n" + accented + "\n", {3, 80}) == accented + "\n" + accented + "\n");
}

BOOST_AUTO_TEST_CASE(nothing_after_the_first_line_that_is_hidden_is_shown) {
  BOOST_TEST(fitted("a\n" + std::string(400, 'x') + "\nb\n", {4, 80}) == "a\n… 2 lines more; all without --watch\n");
}

BOOST_AUTO_TEST_CASE(a_screen_of_unknown_or_of_no_size_has_everything) {
  for (const screen_size each : {screen_size{}, screen_size{0, 80}, screen_size{1, 80}})
    BOOST_TEST(fitted(numbered_lines(100), each) == numbered_lines(100));
  BOOST_TEST(lines_in(fitted(numbered_lines(100), {10, 0})) == 9U);
}

BOOST_AUTO_TEST_CASE(the_last_line_never_takes_more_than_its_row) {
  for (const std::size_t columns : {1U, 2U, 5U, 20U}) {
    const auto shown = fitted(numbered_lines(1000), {5, columns});
    const auto last = shown.substr(shown.rfind('\n', shown.size() - 2) + 1);
    BOOST_TEST(last.size() <= columns + 3);
  }
  BOOST_TEST(fitted(numbered_lines(9), {5, 6}) == numbered_lines(3) + "… 6 li\n");
}

BOOST_AUTO_TEST_CASE(each_line_is_written_over_to_its_end) {
  BOOST_TEST(over_the_last("a\nb\n") == "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
}
