// What a client leaves untaken: so much is on its way, the rest waits, and all of it comes to an end.
#include "understudy/actors/node/answer_flow.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

using namespace understudy::internal;

namespace {

gateway_limits limits_of(std::size_t untaken) {
  gateway_limits limits;
  limits.most_untaken = untaken;
  return limits;
}

}  // namespace

BOOST_AUTO_TEST_CASE(answers_go_until_a_bound_and_wait_then_in_their_order) {
  answer_flow flow{limits_of(100)};
  BOOST_TEST(!flow.has_to_wait(1, 40, 0));
  flow.sent(1, 40);
  BOOST_TEST(!flow.has_to_wait(1, 60, 0));
  flow.sent(1, 60);
  BOOST_TEST(flow.has_to_wait(1, 30, 0));
  flow.keep({1, 3}, std::string(30, 'c'));
  flow.keep({1, 4}, std::string(30, 'd'));
  BOOST_TEST(flow.waiting_bytes(1) == 60U);
  // Another link has bounds of its own.
  BOOST_TEST(!flow.has_to_wait(2, 1000, 0));
  // Once the first is with the kernel there is room for one, in order, and none for the next.
  BOOST_TEST(!flow.next(1, 0).has_value());
  auto next = flow.next(1, 1);
  BOOST_TEST_REQUIRE(next.has_value());
  BOOST_TEST((next->key == answer_flow::request_key{1, 3}));
  flow.sent(1, next->bytes.size());
  BOOST_TEST(!flow.next(1, 1).has_value());
  // What came later does not overtake what waits.
  BOOST_TEST(flow.has_to_wait(1, 1, 1));
  next = flow.next(1, 2);
  BOOST_TEST_REQUIRE(next.has_value());
  BOOST_TEST((next->key == answer_flow::request_key{1, 4}));
  flow.sent(1, next->bytes.size());
  BOOST_TEST(flow.waiting_bytes(1) == 0U);
  BOOST_TEST(!flow.has_to_wait(1, 40, 2));
}

BOOST_AUTO_TEST_CASE(one_answer_alone_goes_whatever_its_size) {
  answer_flow flow{limits_of(100)};
  BOOST_TEST(!flow.has_to_wait(1, 5000, 0));
  flow.sent(1, 5000);
  BOOST_TEST(flow.has_to_wait(1, 1, 0));
  BOOST_TEST(!flow.has_to_wait(1, 5000, 1));
}

BOOST_AUTO_TEST_CASE(what_nobody_waits_for_any_more_takes_no_room) {
  answer_flow flow{limits_of(10)};
  flow.sent(1, 10);
  flow.keep({1, 3}, std::string(40, 'b'));
  flow.keep({1, 2}, std::string(60, 'a'));
  BOOST_TEST(flow.forget({1, 2}));
  BOOST_TEST(!flow.forget({1, 2}));
  BOOST_TEST(!flow.forget({1, 9}));
  BOOST_TEST(!flow.forget({3, 3}));
  BOOST_TEST(flow.waiting_bytes(1) == 40U);
  const auto next = flow.next(1, 1);
  BOOST_TEST_REQUIRE(next.has_value());
  BOOST_TEST((next->key == answer_flow::request_key{1, 3}));
  flow.keep({1, 4}, "x");
  flow.lost(1);
  BOOST_TEST(flow.waiting_bytes(1) == 0U);
  // A link that is not open holds back nothing.
  flow.sent(1, 1000);
  BOOST_TEST(!flow.has_to_wait(1, 1000, std::nullopt));
}

BOOST_AUTO_TEST_CASE(an_answer_that_was_not_noted_does_not_put_the_count_wrong_for_good) {
  answer_flow flow{limits_of(10)};
  // The kernel has one more than was noted.
  BOOST_TEST(!flow.has_to_wait(1, 10, 1));
  flow.sent(1, 10);
  BOOST_TEST(flow.has_to_wait(1, 10, 1));
  BOOST_TEST(!flow.has_to_wait(1, 10, 2));
}

BOOST_AUTO_TEST_CASE(never_is_more_on_its_way_than_the_bound_says_and_everything_that_waits_goes_in_the_end) {
  std::mt19937_64 random{7};
  for (int run = 0; run < 200; ++run) {
    constexpr std::size_t untaken = 1000, longest = 400;
    answer_flow flow{limits_of(untaken)};
    std::deque<std::size_t> on_its_way;
    std::uint64_t answered = 0, number = 0;
    std::size_t sent = 0, kept = 0, asked = 0, most = 0, bytes_on_its_way = 0;
    const auto send = [&](std::size_t bytes) {
      flow.sent(1, bytes);
      on_its_way.push_back(bytes);
      bytes_on_its_way += bytes;
      ++sent;
    };
    const auto take_one = [&] {
      bytes_on_its_way -= on_its_way.front();
      on_its_way.pop_front();
      ++answered;
    };
    const auto send_waiting = [&] {
      while (auto next = flow.next(1, answered)) {
        send(next->bytes.size());
        --kept;
      }
    };
    for (int i = 0; i < 300; ++i) {
      if (random() % 3 != 0) {
        const std::size_t bytes = 1 + random() % longest;
        ++asked;
        if (flow.has_to_wait(1, bytes, answered)) {
          flow.keep({1, ++number}, std::string(bytes, 'x'));
          ++kept;
        } else {
          send(bytes);
        }
      } else if (!on_its_way.empty()) {
        take_one();
      }
      send_waiting();
      most = std::max(most, bytes_on_its_way);
    }
    BOOST_TEST_REQUIRE(most <= untaken);
    while (!on_its_way.empty()) {
      take_one();
      send_waiting();
    }
    BOOST_TEST_REQUIRE(kept == 0U);
    BOOST_TEST_REQUIRE(sent == asked);
  }
}
