// The grammar of filters (RFC 4515).
#include "understudy/actors/connection/filter_check.hpp"
#include "understudy/messages/filter.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

namespace {

void check_good(const std::string& text) { BOOST_TEST(check_filter(text) == "", text << ": " << check_filter(text)); }
void check_bad(const std::string& text, const std::string& part) {
  const auto problem = check_filter(text);
  BOOST_TEST(problem.find(part) != std::string::npos, text << ": " << problem);
}

}  // namespace

BOOST_AUTO_TEST_CASE(takes_every_example_of_rfc_4515) {
  for (const auto* text :
       {"(cn=Babs Jensen)", "(!(cn=Tim Howes))", "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))",
        "(o=univ*of*mich*)", "(seeAlso=)", "(cn:caseExactMatch:=Fred Flintstone)", "(cn:=Betty Rubble)",
        "(sn:dn:2.4.6.8.10:=Barney Rubble)", "(o:dn:=Ace Industry)", "(:1.2.3:=Wilma Flintstone)",
        "(:DN:2.4.6.8.10:=Dino)", "(o=Parens R Us \\28for all your parenthetical needs\\29)", "(cn=*\\2A*)",
        "(filename=C:\\5cMyFile)", "(bin=\\00\\00\\00\\04)", "(sn=Lu\\c4\\8di\\c4\\87)",
        "(1.3.6.1.4.1.1466.0=\\04\\02\\48\\69)"}) {
    check_good(text);
  }
}

BOOST_AUTO_TEST_CASE(takes_presence_ranges_options_spaces_and_absolute_truth) {
  for (const auto* text : {"(objectClass=*)", "(age>=18)", "(age<=65)", "(cn~=jon)", "(cn;lang-de=Jörg)", "(&)", "(|)",
                           "(& (a=b) (c=d) )", " (a=b) ", "(userAccountControl:1.2.840.113556.1.4.803:=2)"}) {
    check_good(text);
  }
}

BOOST_AUTO_TEST_CASE(takes_what_the_builders_make_of_anything) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  check_good(filter::all_of({filter::equal("cn", all), filter::negate(filter::substring("sn", all, {all}, all))}));
}

BOOST_AUTO_TEST_CASE(says_what_is_wrong_and_where) {
  check_bad("", "empty");
  check_bad("cn=x", "starts with '('");
  check_bad("(cn=x", "')' is missing");
  check_bad("(&(cn=x)", "')' is missing");
  check_bad("(cn=x))", "nothing may follow the filter at character 7");
  check_bad("(cn=x)(sn=y)", "nothing may follow");
  check_bad("(cn)", "'=' is missing");
  check_bad("(=x)", "no attribute description");
  check_bad("(c n=x)", "no attribute description");
  check_bad("(!(a=b)(c=d))", "'!' takes one filter");
  check_bad("(!)", "'!' takes one filter");
  check_bad("(cn=a\\zz)", "two hexadecimal digits at character 6");
  check_bad("(cn=a\\4)", "two hexadecimal digits");
  check_bad("(cn=a(b)", "must be escaped");
  check_bad("(cn=a**b)", "two '*'");
  check_bad("(age>=1*)", "'*' must be escaped");
  check_bad("()", "'=' is missing");
  check_bad("(:=x)", "no attribute description");
  check_bad(std::string{"(cn=a\0b)", 8}, "must be escaped");
}

BOOST_AUTO_TEST_CASE(refuses_filters_nested_without_end) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "(!";
  check_bad(deep + "(a=b)", "nested too deeply");
}
