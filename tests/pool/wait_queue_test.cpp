// The queue of waiters and the registry of leases.
#include "understudy/actors/pool/wait_queue.hpp"
#include "understudy/actors/pool/lease_registry.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

namespace {

waiter waiting(waiter_id number, int leave_after, acquire_kind wanted = acquire_kind::shared,
               cancel_token_ptr token = nullptr) {
  waiter w;
  w.waiter = number;
  w.what = wanted;
  w.since = time_point{} + seconds{static_cast<int>(number)};
  w.leave_at = time_point{} + seconds{leave_after};
  w.token = std::move(token);
  return w;
}

lease_record held(lease_id id, int since = 0) {
  lease_record l;
  l.id = id;
  l.granted = time_point{} + seconds{since};
  return l;
}

}  // namespace

BOOST_AUTO_TEST_CASE(waiters_keep_their_order_whatever_their_deadlines) {
  wait_queue q;
  q.push(waiting(1, 30));
  q.push(waiting(2, 10, acquire_kind::lease));
  q.push(waiting(3, 20));
  std::vector<waiter_id> order;
  for (const auto& [number, w] : q.all()) order.push_back(number);
  BOOST_TEST((order == std::vector<waiter_id>{1, 2, 3}));
  BOOST_TEST(q.leases() == 1U);
  BOOST_TEST(q.shared() == 2U);
  BOOST_TEST((q.next_leave() == time_point{} + seconds{10}));
  BOOST_TEST((q.oldest() == time_point{} + seconds{1}));
}

BOOST_AUTO_TEST_CASE(overdue_waiters_are_found_by_deadline) {
  wait_queue q;
  q.push(waiting(1, 30));
  q.push(waiting(2, 10));
  BOOST_TEST((q.overdue(time_point{} + seconds{9}) == q.end()));
  const auto late = q.overdue(time_point{} + seconds{10});
  BOOST_TEST_REQUIRE((late != q.end()));
  BOOST_TEST(late->first == 2U);
  q.erase(late);
  BOOST_TEST((q.overdue(time_point{} + seconds{10}) == q.end()));
  BOOST_TEST(q.size() == 1U);
}

BOOST_AUTO_TEST_CASE(waiters_are_found_by_cancel_token) {
  wait_queue q;
  const auto token = std::make_shared<cancel_token>();
  q.push(waiting(1, 30));
  q.push(waiting(2, 30, acquire_kind::lease, token));
  BOOST_TEST_REQUIRE((q.find(token.get()) != q.end()));
  BOOST_TEST(q.find(token.get())->first == 2U);
  q.erase(q.find(token.get()));
  BOOST_TEST((q.find(token.get()) == q.end()));
  BOOST_TEST(q.leases() == 0U);
}

BOOST_AUTO_TEST_CASE(an_empty_queue_has_no_deadline) {
  const wait_queue q;
  BOOST_TEST((q.next_leave() == time_point::max()));
  BOOST_TEST((q.oldest() == time_point::max()));
}

BOOST_AUTO_TEST_CASE(lease_counters_add_up_however_leases_end) {
  lease_registry registry;
  for (lease_id id = 1; id <= 4; ++id) registry.open(held(id));
  BOOST_TEST(registry.close(1).has_value());
  BOOST_TEST(!registry.close(1).has_value());
  BOOST_TEST(registry.mark_lost(2).has_value());
  BOOST_TEST(!registry.close(9).has_value());
  BOOST_TEST(registry.acquired() == 4U);
  BOOST_TEST(registry.released() == 2U);
  BOOST_TEST(registry.leased() == 2U);
}

BOOST_AUTO_TEST_CASE(a_lost_lease_may_be_given_back_once) {
  lease_registry registry;
  registry.open(held(1));
  registry.mark_lost(1);
  BOOST_TEST(registry.acknowledge_lost(1));
  BOOST_TEST(!registry.acknowledge_lost(1));
  BOOST_TEST(!registry.acknowledge_lost(2));
}

BOOST_AUTO_TEST_CASE(lost_leases_are_remembered_within_bounds) {
  lease_registry registry;
  for (lease_id id = 1; id <= 1000; ++id) {
    registry.open(held(id));
    registry.mark_lost(id);
  }
  BOOST_TEST(!registry.acknowledge_lost(1));
  BOOST_TEST(registry.acknowledge_lost(1000));
}

BOOST_AUTO_TEST_CASE(only_unclaimed_leases_are_found_as_such) {
  lease_registry registry;
  registry.open(held(1));
  registry.open(held(2, 5));
  BOOST_TEST(registry.claim(2));
  BOOST_TEST((registry.next_claim() == time_point{} + seconds{1}));
  BOOST_TEST(registry.unclaimed(time_point{} + milliseconds{999}).empty());
  BOOST_TEST((registry.unclaimed(time_point{} + seconds{10}) == std::vector<lease_id>{1}));
  BOOST_TEST(!registry.claim(3));
}

BOOST_AUTO_TEST_CASE(a_leak_is_reported_once) {
  lease_registry registry;
  registry.open(held(1));
  BOOST_TEST(registry.overdue(time_point{} + seconds{59}, seconds{60}).empty());
  BOOST_TEST(registry.overdue(time_point{} + seconds{60}, seconds{60}).size() == 1U);
  BOOST_TEST(registry.overdue(time_point{} + seconds{99}, seconds{60}).empty());
  BOOST_TEST(registry.leaks() == 1U);
  BOOST_TEST(registry.close(1)->reported);
}
