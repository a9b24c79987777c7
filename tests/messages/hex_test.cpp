// Bytes as hexadecimal digits, and back.
#include "understudy/messages/hex.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy::internal;

BOOST_AUTO_TEST_CASE(every_byte_is_read_as_it_was_written) {
  for (int i = 0; i < 256; ++i) {
    const auto byte = static_cast<char>(i);
    std::string text;
    append_hex(text, {&byte, 1});
    BOOST_TEST(text.size() == 2U);
    BOOST_TEST((hex_byte(text) == byte), text);
  }
  std::string text = "0x";
  append_hex(text, "\x0f\xf0");
  BOOST_TEST(text == "0x0ff0");
}

BOOST_AUTO_TEST_CASE(two_digits_of_either_case_are_a_byte_and_nothing_else_is) {
  BOOST_TEST((hex_byte("4a") == 'J'));
  BOOST_TEST((hex_byte("4Axx") == 'J'));
  for (const auto* bad : {"", "4", "g0", "0g", "/0", "0:", "@0", "0`", "-1", " 1", "x1"})
    BOOST_TEST(!hex_byte(bad).has_value(), bad);
}
