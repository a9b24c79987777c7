// How often what strangers do is told of.
#include "understudy/runtime/platform/repeated_lines.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

BOOST_AUTO_TEST_CASE(each_reason_is_told_once_a_minute_with_how_many_were_not) {
  repeated_lines lines;
  const time_point begin{std::chrono::hours{1}};
  BOOST_TEST(lines.pass("garbage", begin).value_or(9) == 0U);
  BOOST_TEST(!lines.pass("garbage", begin + seconds{1}));
  BOOST_TEST(lines.pass("no place", begin + seconds{1}).value_or(9) == 0U);
  BOOST_TEST(!lines.pass("garbage", begin + seconds{59}));
  BOOST_TEST(lines.pass("garbage", begin + seconds{60}).value_or(9) == 2U);
  BOOST_TEST(lines.pass("garbage", begin + seconds{120}).value_or(9) == 0U);
}

BOOST_AUTO_TEST_CASE(reasons_without_end_share_a_line) {
  repeated_lines lines;
  const time_point begin{std::chrono::hours{1}};
  std::size_t told = 0;
  for (int i = 0; i < 1000; ++i) told += lines.pass(std::to_string(i), begin).has_value() ? 1 : 0;
  BOOST_TEST(told == repeated_lines::most_reasons);
}
