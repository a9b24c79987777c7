// Long attributes in ranges: honest servers are read to the end, others end in an error and never in a loop.
#include "understudy/messages/range_cursor.hpp"
#include "support/print.hpp"

#include <boost/test/unit_test.hpp>
#include <random>

using namespace understudy;
using namespace understudy::internal;

namespace {

constexpr std::size_t plenty = 1 << 30;

std::vector<std::string> values(std::size_t from, std::size_t n) {
  std::vector<std::string> some;
  for (std::size_t i = 0; i < n; ++i) some.push_back("cn=" + std::to_string(from + i));
  return some;
}

result with(std::vector<attribute> attributes) {
  result r;
  r.entries.push_back({"cn=group", std::move(attributes)});
  return r;
}

failure_ptr note(range_cursor& cursor, std::vector<attribute> attributes) {
  auto answer = with(std::move(attributes));
  return cursor.note(answer);
}

void check_refused(std::vector<attribute> attributes, const std::string& said) {
  range_cursor cursor{"member", plenty};
  BOOST_TEST(!note(cursor, {{"member;range=0-1", values(0, 2)}}));
  const auto why = note(cursor, std::move(attributes));
  BOOST_TEST_REQUIRE((why != nullptr), said);
  BOOST_TEST(why->code == errc::connection_failed);
  BOOST_TEST(why->message.find(said) != std::string::npos, why->message);
}

}  // namespace

BOOST_AUTO_TEST_CASE(ranges_are_asked_for_until_the_last) {
  range_cursor cursor{"member", plenty};
  BOOST_TEST(cursor.next() == "member");
  // Active Directory names the attribute itself as well.
  BOOST_TEST(!note(cursor, {{"member", {}}, {"member;range=0-1499", values(0, 1500)}}));
  BOOST_TEST(!cursor.finished());
  BOOST_TEST(cursor.next() == "member;range=1500-*");
  BOOST_TEST(!note(cursor, {{"Member;Range=1500-1501", values(1500, 2)}}));
  BOOST_TEST(cursor.next() == "member;range=1502-*");
  BOOST_TEST(!note(cursor, {{"cn", {"group"}}, {"member;range=1502-*", values(1502, 1)}}));
  BOOST_TEST(cursor.finished());
  BOOST_TEST(cursor.take() == values(0, 1503), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_attribute_without_ranges_is_all_there_is) {
  for (const auto& [attributes, n] : std::vector<std::pair<std::vector<attribute>, std::size_t>>{
           {{{"MEMBER", values(0, 3)}}, 3}, {{{"member", {}}}, 0}, {{}, 0}, {{{"memberOf", values(0, 1)}}, 0}}) {
    range_cursor cursor{"member", plenty};
    BOOST_TEST(!note(cursor, attributes));
    BOOST_TEST(cursor.finished());
    BOOST_TEST(cursor.take().size() == n);
  }
}

BOOST_AUTO_TEST_CASE(options_beside_the_range_may_stand_on_either_side) {
  for (const auto* name : {"userCertificate;binary;range=0-*", "userCertificate;range=0-*;binary"}) {
    range_cursor cursor{"userCertificate;binary", plenty};
    BOOST_TEST(!note(cursor, {{name, values(0, 2)}}));
    BOOST_TEST(cursor.finished());
    BOOST_TEST(cursor.take().size() == 2u);
  }
  BOOST_TEST(has_range("member;Range=0-*"));
  BOOST_TEST(!has_range("member;binary"));
  BOOST_TEST(!has_range("range=0-*"));
}

BOOST_AUTO_TEST_CASE(a_server_that_lies_about_ranges_is_not_followed) {
  check_refused({{"member;range=0-1", values(0, 2)}}, "from 0 on");      // the same again
  check_refused({{"member;range=3-4", values(3, 2)}}, "from 3 on");      // a gap
  check_refused({{"member;range=2-3", values(2, 1)}}, "with 1 values");  // fewer than it says
  check_refused({{"member;range=2-2", values(2, 2)}}, "with 2 values");  // more
  check_refused({{"member;range=2-1", {}}}, "is none");                  // backwards
  check_refused({{"member;range=2-99999999999999999999", values(2, 1)}}, "is none");
  check_refused({{"member;range=2", values(2, 1)}}, "is none");
  check_refused({{"member;range=*-2", values(2, 1)}}, "is none");
  check_refused({{"member;range=-", values(2, 1)}}, "is none");
  check_refused({{"member", values(2, 1)}}, "is missing");
  check_refused({}, "is missing");
  check_refused({{"member;range=2-2", values(2, 1)}, {"member;range=2-*", values(2, 1)}}, "two came");
  check_refused({{"member", values(2, 1)}, {"member;range=2-*", values(2, 1)}}, "two came");
  range_cursor cursor{"member", plenty};
  result nothing;
  BOOST_TEST((cursor.note(nothing) != nullptr));
  auto two = with({});
  two.entries.push_back(two.entries[0]);
  BOOST_TEST((cursor.note(two) != nullptr));
}

BOOST_AUTO_TEST_CASE(values_and_rounds_are_bounded) {
  range_cursor small{"member", 10'000};
  failure_ptr why;
  std::size_t n = 0;
  for (; !why && n < 10'000; ++n)
    why = note(small, {{"member;range=" + std::to_string(n) + "-" + std::to_string(n), {""}}});
  BOOST_TEST_REQUIRE((why != nullptr));
  BOOST_TEST(why->code == errc::result_too_large);
  BOOST_TEST(n < 300u);
  range_cursor slow{"member", plenty};
  why = nullptr;
  int rounds = 0;
  for (; !why && rounds < 2 * range_cursor::most_rounds; ++rounds) {
    const auto at = std::to_string(rounds);
    why = note(slow, {{"member;range=" + at + "-" + at, {""}}});
  }
  BOOST_TEST_REQUIRE((why != nullptr));
  BOOST_TEST(rounds == range_cursor::most_rounds + 1);
}
