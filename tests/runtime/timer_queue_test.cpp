// Timers come in the order of their times, each once, however often they are moved.
#include "understudy/runtime/platform/timer_queue.hpp"

#include <boost/test/unit_test.hpp>
#include <map>
#include <random>
#include <set>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

namespace {

using ids = std::vector<timer_queue::timer_id>;
constexpr time_point start{1h};

struct three_timers {
  timer_queue queue;
  three_timers() {
    for (timer_queue::timer_id id : {1, 2, 3}) queue.add(id);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(timers_come_in_the_order_of_their_times, three_timers) {
  queue.set(1, start + 3s);
  queue.set(2, start + 1s);
  queue.set(3, start + 2s);
  BOOST_TEST(queue.take_due(start).empty());
  BOOST_TEST(queue.take_due(start + 2s) == (ids{2, 3}));
  BOOST_TEST(queue.take_due(start + 9s) == ids{1});
  BOOST_TEST(queue.take_due(start + 9s).empty());
  BOOST_TEST((queue.next() == time_point::max()));
}

BOOST_FIXTURE_TEST_CASE(a_postponed_timer_comes_at_its_new_time_only, three_timers) {
  queue.set(1, start + 1s);
  queue.set(1, start + 5s);
  BOOST_TEST(queue.take_due(start + 4s).empty());
  BOOST_TEST((queue.next() == start + 5s));
  BOOST_TEST(queue.take_due(start + 5s) == ids{1});
}

BOOST_FIXTURE_TEST_CASE(a_timer_can_be_moved_forward, three_timers) {
  queue.set(1, start + 5s);
  queue.set(1, start + 1s);
  BOOST_TEST((queue.next() == start + 1s));
  BOOST_TEST(queue.take_due(start + 1s) == ids{1});
  BOOST_TEST(queue.take_due(start + 5s).empty());
}

BOOST_FIXTURE_TEST_CASE(cleared_and_removed_timers_never_come, three_timers) {
  queue.set(1, start + 1s);
  queue.set(2, start + 1s);
  queue.clear(1);
  queue.remove(2);
  queue.set(2, start + 1s);
  BOOST_TEST(queue.take_due(start + 5s).empty());
  queue.set(1, start + 6s);
  BOOST_TEST(queue.take_due(start + 6s) == ids{1});
  BOOST_TEST(queue.size() == 2U);
}

BOOST_AUTO_TEST_CASE(many_random_moves_agree_with_a_plain_table) {
  std::mt19937 random{7};
  timer_queue queue;
  std::map<timer_queue::timer_id, time_point> plain;
  for (timer_queue::timer_id id = 1; id <= 50; ++id) queue.add(id);
  auto now = start;
  for (int step = 0; step < 20000; ++step) {
    const timer_queue::timer_id id = 1 + random() % 50;
    switch (random() % 4) {
      case 0:
      case 1:
        plain[id] = now + milliseconds{random() % 100};
        queue.set(id, plain[id]);
        break;
      case 2:
        plain.erase(id);
        queue.clear(id);
        break;
      default: {
        now += milliseconds{random() % 20};
        std::set<timer_queue::timer_id> expected;
        for (auto& [due, when] : plain)
          if (when <= now) expected.insert(due);
        const auto due = queue.take_due(now);
        BOOST_REQUIRE((std::set<timer_queue::timer_id>(due.begin(), due.end()) == expected));
        BOOST_REQUIRE_EQUAL(due.size(), expected.size());
        for (auto gone : expected) plain.erase(gone);
        for (auto& [left, when] : plain) BOOST_REQUIRE((queue.next() <= when));
      }
    }
  }
}
