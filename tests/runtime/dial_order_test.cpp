// Which node is dialled when, on made-up time.
#include "understudy/runtime/platform/dial_order.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

namespace {

/// The longest pause that there may be: the source is always just below 1.
struct three_nodes {
  dial_order order{3, 100ms, 1s, [] { return 0.999; }};
  time_point now{1h};

  /// It fails at once; whether the round is over.
  bool fails() {
    BOOST_TEST_REQUIRE((order.due_at() <= now));
    return order.failed(now);
  }
  duration pause() const { return order.due_at() - now; }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_round_goes_through_all_nodes_at_once_and_the_next_one_waits, three_nodes) {
  auto longest = duration{100ms};
  for (int round = 0; round < 6; ++round) {
    BOOST_TEST(order.node() == 0u);
    BOOST_TEST(!fails());
    BOOST_TEST(order.node() == 1u);
    BOOST_TEST(!fails());
    BOOST_TEST(order.node() == 2u);
    BOOST_TEST(fails());
    BOOST_TEST((pause() > longest * 9 / 10 && pause() < longest), round);
    longest = std::min<duration>(longest * 2, 1s);
    now = order.due_at();
  }
}

BOOST_FIXTURE_TEST_CASE(after_a_link_that_lasted_the_next_node_is_dialled_at_once, three_nodes) {
  for (int i = 0; i < 7; ++i) {
    fails();
    now = std::max(now, order.due_at());
  }
  BOOST_TEST(order.node() == 1u);
  order.linked(now);
  now += 1min;
  order.lost(now);
  BOOST_TEST(order.node() == 2u);
  BOOST_TEST((pause() <= 0ms));
  // A whole round, and the backoff begins anew.
  BOOST_TEST(!fails());
  BOOST_TEST(fails());
  BOOST_TEST((pause() < 100ms));
}

BOOST_FIXTURE_TEST_CASE(links_that_do_not_last_count_as_failures, three_nodes) {
  for (int i = 0; i < 2; ++i) {
    order.linked(now);
    order.lost(now);
    BOOST_TEST((pause() <= 0ms));
  }
  order.linked(now);
  order.lost(now);
  BOOST_TEST(order.node() == 0u);
  BOOST_TEST((pause() > 50ms));
}

BOOST_AUTO_TEST_CASE(a_sole_node_is_dialled_again_after_a_pause) {
  dial_order order{1, 100ms, 1s, [] { return 0.999; }};
  const time_point now{1h};
  BOOST_TEST((order.due_at() <= now));
  order.linked(now - 1h);
  order.lost(now);
  BOOST_TEST(order.node() == 0u);
  BOOST_TEST((order.due_at() - now > 50ms && order.due_at() - now < 100ms));
}
