// Who is in at a service, and who waits until they have gone.
#include "understudy/runtime/platform/client_table.hpp"

#include <boost/test/unit_test.hpp>

#include <thread>

using namespace understudy;
using namespace understudy::internal;

BOOST_AUTO_TEST_CASE(whoever_came_in_is_counted_until_he_leaves) {
  client_table<int> in;
  const auto one = in.next_number(), two = in.next_number();
  BOOST_TEST(one != two);
  BOOST_TEST(in.enter(one, 10));
  std::size_t seen = 0;
  BOOST_TEST(in.enter(two, 20, [&](client_table<int>::clients& all) { seen = all.size(); }));
  BOOST_TEST(seen == 2U);
  int sum = 0;
  in.visit([&](int each) { sum += each; });
  BOOST_TEST(sum == 30);
  in.leave(one);
  BOOST_TEST(in.count() == 1U);
  BOOST_TEST(!in.wait(milliseconds{1}));
}

BOOST_AUTO_TEST_CASE(one_that_left_before_it_was_entered_is_not_kept) {
  client_table<int> in;
  const auto early = in.next_number();
  in.leave(early);
  BOOST_TEST(in.enter(early, 1));
  BOOST_TEST(in.count() == 0U);
  BOOST_TEST(in.wait(milliseconds{0}));
}

BOOST_AUTO_TEST_CASE(a_closed_table_takes_nobody_and_is_waited_for) {
  client_table<int> in;
  const auto last = in.next_number();
  BOOST_TEST(in.enter(last, 1));
  in.close();
  BOOST_TEST(!in.enter(in.next_number(), 2));
  std::thread leaves([&] { in.leave(last); });
  BOOST_TEST(in.wait(seconds{30}));
  leaves.join();
}
