// Where a paged search is: cookies, ends, garbage, and what ends it early.
#include "understudy/runtime/client/page_cursor.hpp"
#include "support/print.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

namespace {

std::vector<control> answer(std::int32_t estimate, std::string cookie) {
  return {{"1.2.3", false, {}}, paged_results_control({estimate, std::move(cookie)}, false)};
}

paged_results sent(const control& c) {
  BOOST_TEST(c.oid == paged_results_oid);
  return decode_paged_results(c.value.value_or("")).value();
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_page_is_asked_for_with_the_cookie_of_the_one_before) {
  page_cursor cursor{500, true};
  BOOST_TEST(cursor.next().critical);
  BOOST_TEST(sent(cursor.next()).size == 500);
  BOOST_TEST(sent(cursor.next()).cookie == "");
  BOOST_TEST(!cursor.abandon_control().has_value(), "nothing was asked yet");
  const std::string cookie("\0\xff;", 3);
  BOOST_TEST(!cursor.note(answer(1200, cookie)));
  BOOST_TEST((sent(cursor.next()).cookie == cookie));
  BOOST_TEST(sent(cursor.next()).size == 500);
  BOOST_TEST(cursor.estimate() == 1200);
  BOOST_TEST(!cursor.finished());
  BOOST_TEST_REQUIRE(cursor.abandon_control().has_value());
  BOOST_TEST(sent(*cursor.abandon_control()).size == 0);
  BOOST_TEST((sent(*cursor.abandon_control()).cookie == cookie));
  BOOST_TEST(!cursor.note(answer(1200, "")));
  BOOST_TEST(cursor.finished());
  BOOST_TEST(!cursor.abandon_control().has_value());
}

BOOST_AUTO_TEST_CASE(a_server_that_ignores_the_control_has_said_all) {
  page_cursor cursor{500, false};
  BOOST_TEST(!cursor.next().critical);
  BOOST_TEST(!cursor.note({{"1.2.3", false, {}}}));
  BOOST_TEST(cursor.finished());
  BOOST_TEST(cursor.estimate() == 0);
}

BOOST_AUTO_TEST_CASE(an_answer_that_cannot_be_decoded_is_an_error_and_no_end) {
  for (const auto& bad : {std::optional<std::string>{}, std::optional<std::string>{"junk"},
                          std::optional<std::string>{encode_paged_results({1, "x"}) + "more"}}) {
    page_cursor cursor{500, true};
    cursor.note(answer(0, "before"));
    const auto why = cursor.note({{std::string{paged_results_oid}, false, bad}});
    BOOST_TEST_REQUIRE((why != nullptr));
    BOOST_TEST(why->code == errc::connection_failed);
    BOOST_TEST(cursor.finished());
    BOOST_TEST(!cursor.abandon_control().has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_control_that_came_twice_never_ends_the_search_early) {
  const auto paging = [](std::string cookie) { return paged_results_control({0, std::move(cookie)}, false); };
  for (const auto& both :
       {std::vector<control>{paging(""), paging("more")}, std::vector<control>{paging("more"), paging("")},
        std::vector<control>{paging("more"), paging("more")}}) {
    page_cursor cursor{500, true};
    BOOST_TEST(!cursor.note(both));
    BOOST_TEST(!cursor.finished());
    BOOST_TEST(sent(cursor.next()).cookie == "more");
  }
  page_cursor cursor{500, true};
  const auto why = cursor.note({paging("one"), paging("another")});
  BOOST_TEST_REQUIRE((why != nullptr));
  BOOST_TEST(why->code == errc::connection_failed);
  BOOST_TEST(cursor.finished());
  page_cursor last{500, true};
  BOOST_TEST(!last.note({paging(""), paging("")}));
  BOOST_TEST(last.finished());
}

BOOST_AUTO_TEST_CASE(a_later_page_without_the_control_is_no_end) {
  for (const bool critical : {true, false}) {
    page_cursor cursor{500, critical};
    BOOST_TEST(!cursor.note(answer(0, "more")));
    const auto why = cursor.note({{"1.2.3", false, {}}});
    BOOST_TEST_REQUIRE((why != nullptr));
    BOOST_TEST(why->code == errc::connection_failed);
    BOOST_TEST(why->message.find("missing") != std::string::npos, why->message);
    BOOST_TEST(cursor.finished());
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_promises_more_for_ever_is_not_believed) {
  page_cursor cursor{500, true};
  // The same cookie again and again is usual (389 Directory Server); so is an empty page now and then.
  for (int i = 0; i < 3 * page_cursor::most_empty_pages; ++i)
    BOOST_TEST_REQUIRE(!cursor.note(answer(0, "same"), i % 2 == 0));
  int asked = 0;
  failure_ptr why;
  for (; !why && asked < 10 * page_cursor::most_empty_pages; ++asked) why = cursor.note(answer(0, "same"), true);
  BOOST_TEST_REQUIRE((why != nullptr));
  BOOST_TEST(asked == page_cursor::most_empty_pages);
  BOOST_TEST(cursor.finished());
  // An empty page at the end is one.
  page_cursor good{500, true};
  for (int i = 1; i < page_cursor::most_empty_pages; ++i) BOOST_TEST_REQUIRE(!good.note(answer(0, "same"), true));
  BOOST_TEST(!good.note(answer(0, ""), true));
  BOOST_TEST(good.finished());
}
