// Names whose case does not count, percent-encoding, sentences within sentences.
#include "understudy/messages/text.hpp"

#include <boost/test/unit_test.hpp>

#include <utility>
#include <vector>

using namespace understudy::internal;

BOOST_AUTO_TEST_CASE(only_ascii_letters_have_a_lower_case) {
  BOOST_TEST(ascii_lower("LDAPS@[`{\xC3\x84") == "ldaps@[`{\xC3\x84");
}

BOOST_AUTO_TEST_CASE(names_differ_by_more_than_case) {
  BOOST_TEST(same_name("memberOf", "MEMBERof"));
  BOOST_TEST(same_name("", ""));
  BOOST_TEST(!same_name("member", "memberOf"));
  BOOST_TEST(!same_name("memberOf", "member"));
  BOOST_TEST(!same_name("a@", "a`"));  // 32 apart, as letters are
}

BOOST_AUTO_TEST_CASE(percent_signs_stand_for_bytes) {
  BOOST_TEST((percent_decoded("%2Frun%2fldapi%00") == std::string("/run/ldapi\0", 11)));
  BOOST_TEST((percent_decoded("plain") == "plain"));
  for (const auto* wrong : {"%", "a%2", "%2G", "%-1", "%+1", "%%41"})
    BOOST_TEST(!percent_decoded(wrong).has_value(), wrong);
}

BOOST_AUTO_TEST_CASE(sentence_loses_one_full_stop) {
  BOOST_TEST(without_full_stop("It ended.") == "It ended");
  BOOST_TEST(without_full_stop("and so on..") == "and so on.");
  BOOST_TEST(without_full_stop("") == "");
}

BOOST_AUTO_TEST_CASE(items_of_a_list_are_separated) {
  const std::vector<std::string> two{"a", "b"}, none;
  BOOST_TEST(joined(two, ", ") == "a, b");
  BOOST_TEST(joined(none, ", ") == "");
  BOOST_TEST(joined(two, "; ", [](const std::string& each) { return each + each; }) == "aa; bb");
  const std::vector<std::pair<int, std::string>> named{{1, "x"}, {2, "y"}};
  BOOST_TEST(joined(named, "+", &std::pair<int, std::string>::second) == "x+y");
}
