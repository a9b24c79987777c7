// What a server sends, as people see it: nothing of it reaches a terminal as a command, or a log as a line of its own.
#include "understudy/messages/printable.hpp"
#include "understudy/messages/error.hpp"

#include <boost/test/unit_test.hpp>
#include <random>

using namespace understudy;
using namespace understudy::internal;

BOOST_AUTO_TEST_CASE(text_in_any_language_stays_as_it_is) {
  for (const std::string text :
       {"", "cn=Zo\u00eb,dc=example,dc=com", "\u65e5\u672c\u8a9e", "\U0001f3ad", "a\\b \"c\"", "\u05d0\u05d1"})
    BOOST_TEST(printable(text) == text);
}

BOOST_AUTO_TEST_CASE(what_a_terminal_would_obey_is_escaped) {
  BOOST_TEST(printable("a\nb\r\tc") == "a\\x0ab\\x0d\\x09c");
  BOOST_TEST(printable(std::string_view{"\0\x1b[2J\x7f", 6}) == "\\x00\\x1b[2J\\x7f");
  // C1, as UTF-8 and as bytes.
  BOOST_TEST(printable("\xc2\x9b"
                       "31m") == "\\xc2\\x9b31m");
  BOOST_TEST(printable("\xc2\x80\xc2\x9f\xc2\xa0") == "\\xc2\\x80\\xc2\\x9f\xc2\xa0");
  BOOST_TEST(printable("\x9b"
                       "31m\x85\xff") == "\\x9b31m\\x85\\xff");
  // Line and paragraph separators; overrides and isolates of the direction of writing; the byte order mark.
  BOOST_TEST(printable("\u2028\u2029") == "\\xe2\\x80\\xa8\\xe2\\x80\\xa9");
  BOOST_TEST(printable("user\u202etxt.exe\u2066\u200f\u061c") ==
             "user\\xe2\\x80\\xaetxt.exe\\xe2\\x81\\xa6\\xe2\\x80\\x8f\\xd8\\x9c");
  BOOST_TEST(printable("\ufeff") == "\\xef\\xbb\\xbf");
  // Halves of sequences.
  BOOST_TEST(printable("\xe2\x80") == "\\xe2\\x80");
}

BOOST_AUTO_TEST_CASE(whatever_comes_nothing_unsafe_is_left) {
  std::mt19937 random{3};
  for (int round = 0; round < 5000; ++round) {
    std::string text(random() % 30, '\0');
    for (auto& c : text) c = static_cast<char>(random() % 3 == 0 ? 0xc2 : random());
    const auto shown = printable(text);
    BOOST_TEST_REQUIRE(printable(shown) == shown);
    for (const char c : shown) BOOST_TEST_REQUIRE((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
    for (std::size_t i = 0; i + 1 < shown.size(); ++i) {
      const bool c1 = shown[i] == '\xc2' && static_cast<unsigned char>(shown[i + 1]) < 0xa0;
      BOOST_TEST_REQUIRE(!c1);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_failure_in_one_line_is_one_line) {
  failure f;
  f.code = errc::ldap_error;
  f.message = "StartTLS was refused: \x1b[2J";
  f.server = "ldap1:389\n";
  f.diagnostic = "a\nunderstudy: all is well";
  f.matched_dn = "cn=\xc2\x9b";
  f.cause = "b\r";
  BOOST_TEST(describe(f).find_first_of("\n\r\x1b") == std::string::npos, describe(f));
  BOOST_TEST(describe(f).find("\xc2\x9b") == std::string::npos);
  BOOST_TEST(describe(f).find("a\\x0aunderstudy") != std::string::npos, describe(f));
}

BOOST_AUTO_TEST_CASE(a_long_text_is_cut_between_two_characters) {
  const std::string fits(most_quoted_bytes, 'x');
  BOOST_TEST(shortened(fits) == fits);
  BOOST_TEST(shortened(fits + "y") == fits + "… (501 bytes)");
  // Two, three and four bytes a character: whole ones, and as many as fit.
  BOOST_TEST(shortened("abc\u00eb", 4) == "abc… (5 bytes)");
  BOOST_TEST(shortened("ab\u65e5", 4) == "ab… (5 bytes)");
  BOOST_TEST(shortened("a\U0001f3ad", 4) == "a… (5 bytes)");
  BOOST_TEST(shortened("\u00eb\u00ebx", 4) == "\u00eb\u00eb… (5 bytes)");
  // Bytes that are no UTF-8 are no reason to show nothing.
  BOOST_TEST(shortened("\x80\x80\x80\x80\x80\x80\x80", 6) == "\x80\x80\x80\x80\x80\x80… (7 bytes)");
}

BOOST_AUTO_TEST_CASE(a_failure_in_one_line_quotes_no_megabytes) {
  const std::string long_text(8'000'000, 'x');
  failure f;
  f.code = errc::ldap_error;
  f.diagnostic = f.matched_dn = long_text;
  f.referrals.assign(100'000, long_text.substr(0, 10'000));
  BOOST_TEST(describe(f).size() < 4'000u);
  BOOST_TEST(describe(f).find("x… (8000000 bytes)") != std::string::npos);
  BOOST_TEST(describe(f).find("more referrals") != std::string::npos);
  // An entry's name may come from a server too, as that of the user who binds.
  BOOST_TEST(describe(any_operation{bind_request{long_text, {}}}).size() < 300u);
}
