// A pool whose sockets are counted together with those of other nodes: it takes a permit for each, keeps to those that
// there are while they come and go, and gives all of them back.
#include "pool/pool_harness.hpp"

#include <random>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

using kind = waiter_outcome::kind;
using phase = pool_harness::phase;

std::shared_ptr<socket_permits> permits_for(std::uint32_t count) { return std::make_shared<socket_permits>(count); }

pool_policy plain_policy(std::uint32_t min, std::uint32_t max) {
  auto p = small_policy(min, max);
  p.max_in_flight = 1;
  p.max_idle_time = seconds{2};
  p.failover_timeout = duration::zero();
  return p;
}

/// Sockets as the server sees them, a probe's left out.
std::uint32_t open_sockets(const pool_harness& h) { return static_cast<std::uint32_t>(h.sockets.size()); }

}  // namespace

BOOST_AUTO_TEST_CASE(a_pool_opens_no_more_sockets_than_it_has_permits) {
  pool_harness h{plain_policy(0, 10), 1, permits_for(3)};
  for (int i = 0; i < 8; ++i) h.ask(acquire_kind::shared);
  h.ready_all();
  BOOST_TEST(open_sockets(h) == 3U);
  BOOST_TEST(h.permits->opened() == 3U);
  BOOST_TEST(h.permits->wanted() == 8U);
  BOOST_TEST(h.pool.take_probe_slot(h.now) == false);
}

BOOST_AUTO_TEST_CASE(without_permits_nothing_is_opened_and_who_waits_goes_on_when_one_comes) {
  pool_harness h{plain_policy(2, 10), 1, permits_for(0)};
  const auto waits = h.ask(acquire_kind::shared);
  h.pass(seconds{2});
  BOOST_TEST(open_sockets(h) == 0U);
  BOOST_TEST(h.permits->wanted() == 2U);
  h.permits->raise(1);
  h.pass(milliseconds{60});
  BOOST_TEST_REQUIRE(h.connecting() == 1U);
  h.ready_all();
  BOOST_TEST((h.what(waits) == kind::dispatched));
}

BOOST_AUTO_TEST_CASE(a_shortage_is_told_once_for_each_further_socket_that_is_missing) {
  auto permits = permits_for(1);
  int told = 0;
  permits->set_on_shortage([&told] { ++told; });
  pool_harness h{plain_policy(0, 10), 1, permits};
  h.ask(acquire_kind::shared);
  h.ready_all();
  BOOST_TEST(told == 0);
  h.ask(acquire_kind::shared);
  h.pass(seconds{1});
  BOOST_TEST(told == 1);
  h.ask(acquire_kind::shared);
  BOOST_TEST(told == 2);
}

BOOST_AUTO_TEST_CASE(a_probe_and_a_bind_take_permits_too) {
  pool_harness h{plain_policy(0, 10), 1, permits_for(2)};
  BOOST_TEST(h.pool.take_probe_slot(h.now));
  h.ask(acquire_kind::bind);
  h.ready_all();
  BOOST_TEST(h.permits->opened() == 2U);
  h.ask(acquire_kind::shared);
  BOOST_TEST(open_sockets(h) == 1U);
  h.pool.give_probe_slot(h.now);
  h.take();
  BOOST_TEST(open_sockets(h) == 2U);
}

BOOST_AUTO_TEST_CASE(of_lowered_permits_idle_sockets_go_at_once_and_busy_ones_when_they_have_finished) {
  auto policy = plain_policy(0, 10);
  policy.max_idle_time = seconds{60};
  pool_harness h{policy, 1, permits_for(4)};
  for (int i = 0; i < 4; ++i) h.ask(acquire_kind::shared);
  h.ready_all();
  const auto all = h.in(phase::ready);
  BOOST_TEST_REQUIRE(all.size() == 4U);
  h.complete(all[0]);
  h.complete(all[1]);
  h.permits->lower(3);
  h.pass(seconds{1});
  BOOST_TEST(h.in(phase::draining).size() == 3U);
  h.close_told();
  BOOST_TEST(open_sockets(h) == 2U);
  for (const auto id : h.in(phase::draining)) h.complete(id);
  h.close_told();
  BOOST_TEST(open_sockets(h) == 1U);
  BOOST_TEST(h.permits->opened() == 1U);
}

BOOST_AUTO_TEST_CASE(a_leased_socket_is_given_back_with_its_lease) {
  auto policy = plain_policy(0, 10);
  policy.max_idle_time = seconds{60};
  pool_harness h{policy, 1, permits_for(2)};
  const auto first = h.ask(acquire_kind::lease);
  const auto second = h.ask(acquire_kind::lease);
  h.ready_all();
  BOOST_TEST_REQUIRE((h.granted(first) && h.granted(second)));
  for (const auto one : {first, second}) h.pool.claim(h.outcome(one).lease);
  h.permits->lower(2);
  h.pass(seconds{2});
  BOOST_TEST(h.permits->opened() == 2U);
  for (const auto one : {first, second}) BOOST_TEST(h.release(h.outcome(one).lease));
  h.reset_done();
  h.close_told();
  h.pass(seconds{1});
  h.close_told();
  BOOST_TEST(h.permits->opened() == 0U);
}

BOOST_AUTO_TEST_CASE(a_socket_that_its_connection_still_has_keeps_its_permit) {
  auto policy = plain_policy(0, 10);
  policy.max_idle_time = seconds{1};
  pool_harness h{policy, 1, permits_for(1)};
  h.ask(acquire_kind::shared);
  h.ready_all();
  const auto id = h.in(phase::ready).at(0);
  const auto kept = h.sockets.at(id).permit;  // by a connection that says nothing any more
  h.complete(id);
  h.pass(seconds{30});
  BOOST_TEST(open_sockets(h) == 0U);  // the pool has let go of it
  BOOST_TEST(h.permits->opened() == 1U);
  h.ask(acquire_kind::shared, seconds{1});
  h.pass(milliseconds{500});
  BOOST_TEST(h.connecting() == 0U);
}

BOOST_AUTO_TEST_CASE(permits_that_come_and_go_at_random_are_never_exceeded_and_all_come_back) {
  for (std::uint64_t round = 1; round <= 60; ++round) {
    std::mt19937_64 random{round};
    const auto below = [&](std::uint64_t n) { return static_cast<std::uint32_t>(random() % n); };
    auto policy = small_policy(below(3), 1 + below(8));
    policy.max_in_flight = 1 + below(3);
    policy.max_bind = 1 + below(2);
    policy.max_idle_time = seconds{1 + below(5)};
    policy.failover_timeout = duration::zero();
    auto permits = permits_for(below(5));
    std::vector<waiter_id> asked;
    {
      pool_harness h{policy, round, permits};
      std::uint32_t probes = 0;
      const auto must_keep = [&] {
        BOOST_TEST_REQUIRE(permits->opened() == open_sockets(h) + probes, "round " << round);
        BOOST_TEST_REQUIRE(open_sockets(h) + probes <= policy.max);
      };
      h.before_action = [&](const pool_action::any& a) {
        if (std::holds_alternative<pool_action::open>(a))
          BOOST_TEST_REQUIRE(permits->opened() <= permits->allowed(), "round " << round);
      };
      for (int step = 0; step < 250; ++step) {
        switch (below(14)) {
          case 0:
            permits->raise(below(3));
            break;
          case 1:
            permits->lower(std::min(permits->allowed(), below(4)));
            break;
          case 2:
            permits->lower_unused(below(4));
            break;
          case 3:
            if (h.pool.take_probe_slot(h.now)) ++probes;
            break;
          case 4:
            if (probes > 0) --probes, h.pool.give_probe_slot(h.now);
            break;
          case 5:
            h.close_told();
            break;
          case 6:
            if (const auto c = h.in(phase::connecting); !c.empty()) h.fail(c[below(c.size())]);
            break;
          case 7:
            if (const auto r = h.in(phase::ready); !r.empty()) h.die(r[below(r.size())]);
            break;
          case 8:
            for (const auto id : h.in(phase::ready))
              if (h.sockets.at(id).open() > 0) h.complete(id);
            break;
          case 9:
            asked.push_back(h.ask(acquire_kind::bind, seconds{600}));
            break;
          case 10:
            if (const auto c = h.in(phase::connecting); !c.empty()) h.ready(c[below(c.size())]);
            break;
          default:
            asked.push_back(h.ask(acquire_kind::shared, seconds{600}));
        }
        h.take();
        must_keep();
        h.pass(milliseconds{below(400)});
        must_keep();
      }
      // Who waits makes progress with a single permit, whoever had it before.
      for (; probes > 0; --probes) h.pool.give_probe_slot(h.now), h.take();
      permits->lower(permits->allowed());
      permits->raise(1);
      const auto any_waits = [&] {
        return std::any_of(asked.begin(), asked.end(), [&](waiter_id w) { return h.waiting(w); });
      };
      for (int turn = 0; turn < 4000 && any_waits(); ++turn) {
        for (const auto id : h.in(phase::ready))
          if (h.sockets.at(id).open() > 0) h.complete(id, h.sockets.at(id).open());
        for (const auto id : h.in(phase::ready, connection_kind::bind))
          if (h.sockets.at(id).open() > 0) h.complete(id, h.sockets.at(id).open());
        for (const auto k : {connection_kind::pooled, connection_kind::bind}) {
          for (const auto id : h.in(phase::draining, k))
            if (h.sockets.at(id).open() > 0) h.complete(id, h.sockets.at(id).open());
          for (const auto id : h.in(phase::connecting, k)) h.ready(id);
        }
        h.close_told();
        h.pass(milliseconds{60});
      }
      BOOST_TEST(!any_waits(), "somebody waits in vain: round " << round);
      BOOST_TEST(permits->opened() <= 1U);
    }
    BOOST_TEST(permits->opened() == 0U, "a permit is lost: round " << round);
  }
}
