// Spans, quoting, UTF-8, nearest names.
#include "understudy/config/text.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::internal::config;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(spans_are_parsed) {
  const duration second = 1s;
  BOOST_TEST((parse_span("250ms", second) == 250ms));
  BOOST_TEST((parse_span("5s", second) == 5s));
  BOOST_TEST((parse_span("2m", second) == 2min));
  BOOST_TEST((parse_span("1h", second) == 1h));
  BOOST_TEST((parse_span("1.5h", second) == 90min));
  BOOST_TEST((parse_span("1d", second) == 24h));
  BOOST_TEST((parse_span("10us", second) == 10us));
  BOOST_TEST((parse_span("3ns", second) == 3ns));
  BOOST_TEST((parse_span("-1s", second) == -1s));
  BOOST_TEST((parse_span("7", second) == 7s));
  BOOST_TEST((parse_span("7", milliseconds{1}) == 7ms));
  for (const auto* bad : {"", "s", "5 s", " 5s", "5x", "5sec", "1h30m", "1e400", "1e30d", "nan", "infs", "0x10s"})
    BOOST_TEST(!parse_span(bad, second).has_value(), bad);
}

BOOST_AUTO_TEST_CASE(spans_of_numbers_stay_in_range) {
  BOOST_TEST((span_of(0.1, seconds{1}) == 100ms));
  BOOST_TEST((span_of(0.0000000014, seconds{1}) == 1ns));
  BOOST_TEST(!span_of(1e10, seconds{1}).has_value());
  BOOST_TEST(!span_of(-1e10, seconds{1}).has_value());
  BOOST_TEST(!span_of(std::nan(""), seconds{1}).has_value());
  BOOST_TEST(!span_of(std::numeric_limits<double>::infinity(), seconds{1}).has_value());
}

BOOST_AUTO_TEST_CASE(spans_are_written_in_the_largest_whole_unit) {
  BOOST_TEST(format_span(0s) == "0s");
  BOOST_TEST(format_span(48h) == "2d");
  BOOST_TEST(format_span(90min) == "90m");
  BOOST_TEST(format_span(1500ms) == "1500ms");
  BOOST_TEST(format_span(-1s) == "-1s");
  BOOST_TEST(format_span(1ns) == "1ns");
}

BOOST_AUTO_TEST_CASE(numbers_are_written_to_read_back) {
  BOOST_TEST(format_number(1) == "1");
  BOOST_TEST(format_number(-0.5) == "-0.5");
  BOOST_TEST(format_number(0.1) == "0.1");
  BOOST_TEST(format_number(1e300) == "1e+300");
  BOOST_TEST(format_number(std::nan("")) == "nan");
}

BOOST_AUTO_TEST_CASE(quotes_are_safe_to_print) {
  BOOST_TEST(quote("a") == "\"a\"");
  BOOST_TEST(quote("a\n\x1B[31m\x7F") == "\"a??[31m?\"");
  BOOST_TEST(quote("\xFF") == "\"\xEF\xBF\xBD\"");
  BOOST_TEST(quote(std::string(100, 'x')) == '"' + std::string(60, 'x') + "...\"");
}

BOOST_AUTO_TEST_CASE(utf8_is_told_from_other_bytes) {
  for (const auto* good : {"", "a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x8E\xAD", "\xEE\x80\x80"})
    BOOST_TEST(is_utf8(good));
  for (const auto* bad : {"\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF8"}) {
    BOOST_TEST(!is_utf8(bad));
    BOOST_TEST(is_utf8(well_formed(bad)));
  }
  BOOST_TEST(well_formed("a\xFFz") == "a\xEF\xBF\xBDz");
}

BOOST_AUTO_TEST_CASE(the_nearest_name_is_found) {
  const std::vector<std::string_view> known{"host", "port", "password", "password_file", "timeout"};
  BOOST_TEST(nearest("hots", known) == "host");
  BOOST_TEST(nearest("pasword", known) == "password");
  BOOST_TEST(nearest("passwordfile", known) == "password_file");
  BOOST_TEST(nearest("TimeOut", known) == "timeout");
  BOOST_TEST(nearest("prot", known) == "port");
  BOOST_TEST(nearest("completely_different", known) == "");
  BOOST_TEST(nearest("", known) == "");
  BOOST_TEST(nearest(std::string(100000, 'x'), known) == "");
}
