// The arithmetic beneath a pool: size, backoff, rounds of connects, policy.
#include "understudy/actors/pool/connect_backoff.hpp"
#include "understudy/actors/pool/policy.hpp"
#include "understudy/actors/pool/sizing.hpp"
#include "understudy/actors/ports/backoff.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

BOOST_AUTO_TEST_CASE(target_size_follows_demand_between_floor_and_ceiling) {
  struct row {
    pool_demand demand;
    std::uint32_t size;
    const char* why;
  };
  const row rows[] = {
      {{5, 50, 0, 0, 0, 32}, 5, "nobody asks: the minimum"},
      {{0, 50, 0, 0, 0, 32}, 0, "nobody asks and there is no minimum"},
      {{5, 50, 0, 0, 50, 32}, 5, "fifty shared operations fit on five"},
      {{1, 50, 0, 0, 50, 32}, 4, "fifty at sixteen each"},
      {{0, 50, 0, 0, 1, 32}, 1, "the first operation opens the first connection"},
      {{0, 50, 0, 0, 16, 32}, 1, "a comfortable load stays on one"},
      {{0, 50, 0, 0, 17, 32}, 2, "more than comfortable asks for a second"},
      {{0, 50, 0, 0, 7, 1}, 7, "without multiplexing each needs its own"},
      {{2, 50, 2, 3, 0, 32}, 5, "leases need one each beside those taken"},
      {{2, 50, 2, 0, 1, 32}, 3, "what is leased does not serve shared operations"},
      {{2, 4, 2, 9, 99, 32}, 4, "never above the ceiling"},
      {{9, 4, 0, 0, 0, 32}, 4, "not even for the floor"},
      {{2, 0, 0, 0, 9, 32}, 0, "other sockets take everything"},
      {{0, 50, 2, 1, 99, 32, 1}, 4, "without pooling they share one, and leases have theirs beside it"},
      {{0, 4294967295U, 4294967295U, 4294967295U, 4294967295U, 1}, 4294967295U, "no overflow"},
  };
  for (const auto& r : rows) BOOST_TEST(target_size(r.demand) == r.size, r.why);
}

BOOST_AUTO_TEST_CASE(growth_is_one_at_a_time_until_somebody_waited_for_a_connects_time) {
  BOOST_TEST(growth_width(milliseconds{10}, milliseconds{150}, false, 4) == 1U);
  BOOST_TEST(growth_width(milliseconds{150}, milliseconds{150}, false, 4) == 4U);
  BOOST_TEST(growth_width(milliseconds{0}, milliseconds{150}, true, 4) == 4U);
}

BOOST_AUTO_TEST_CASE(backoff_doubles_to_its_cap_with_full_jitter) {
  backoff b{seconds{1}, seconds{30}};
  const auto least = [] { return 0.0; };
  const auto most = [] { return 0.999999; };
  BOOST_TEST((b.ceiling() == duration::zero()));
  for (const int expected : {1, 2, 4, 8, 16, 30, 30, 30}) {
    BOOST_TEST((b.fail(least) == duration::zero()));
    BOOST_TEST((b.ceiling() == seconds{expected}), expected);
  }
  BOOST_TEST((b.fail(most) > seconds{29}));
  b.succeed();
  BOOST_TEST((b.fail(most) < seconds{1}));
  for (int i = 0; i < 100000; ++i) b.fail(most);
  BOOST_TEST((b.ceiling() == seconds{30}));
}

BOOST_AUTO_TEST_CASE(a_round_of_connects_fails_once_however_many_ran) {
  connect_backoff r{seconds{1}};
  const auto random = make_random(1);
  const time_point now{};
  const auto round = r.open();
  BOOST_TEST(r.open() == round);
  BOOST_TEST(r.open() == round);
  BOOST_TEST(r.fail(round, now, random));
  BOOST_TEST(!r.fail(round, now, random));
  BOOST_TEST(!r.fail(round, now, random));
  BOOST_TEST(r.failing());
  const auto next = r.open();
  BOOST_TEST(next != round);
  BOOST_TEST(r.fail(next, now, random));
}

BOOST_AUTO_TEST_CASE(who_waits_is_served_by_the_next_round_after_one_delay_and_nobody_after_a_growing_one) {
  connect_backoff r{seconds{2}};
  const auto most = [] { return 0.999999; };
  time_point now = time_point{} + seconds{100};
  for (const int alone : {4, 6, 10, 18, 32, 32}) {
    BOOST_TEST(r.fail(r.open(), now, most));
    BOOST_TEST((r.retry_at(true) - now > milliseconds{2199} && r.retry_at(true) - now <= milliseconds{2200}));
    BOOST_TEST(
        (r.retry_at(false) - now > seconds{alone} - milliseconds{1} && r.retry_at(false) - now <= seconds{alone}),
        alone);
    now = r.retry_at(false);
  }
}

BOOST_AUTO_TEST_CASE(a_round_with_a_success_has_not_failed_but_pauses) {
  connect_backoff r{seconds{1}};
  const time_point now = time_point{} + seconds{100};
  const auto round = r.open();
  r.open();
  r.succeed(round, milliseconds{10});
  BOOST_TEST(!r.fail(round, now, [] { return 0.5; }));
  for (const bool waited_for : {false, true}) BOOST_TEST(!r.may_open(now, waited_for));
  BOOST_TEST(r.may_open(now + milliseconds{1050}, true));
  BOOST_TEST(!r.may_open(now + milliseconds{1050}, false));
  BOOST_TEST(r.may_open(now + milliseconds{1500}, false));
}

BOOST_AUTO_TEST_CASE(a_round_ends_when_nothing_connects_any_more) {
  connect_backoff r{seconds{1}};
  const time_point now = time_point{} + seconds{100};
  r.succeed(r.open(), milliseconds{10});
  BOOST_TEST(r.fail(r.open(), now, [] { return 0.5; }), "an old success excuses no later failure");
}

BOOST_AUTO_TEST_CASE(a_late_failure_of_an_earlier_round_is_not_told_again) {
  connect_backoff r{seconds{1}};
  const time_point now{};
  const auto slow = r.open();
  BOOST_TEST(r.fail(r.open(), now, [] { return 0.0; }));
  const auto next = r.open();
  BOOST_TEST(!r.fail(slow, now, [] { return 0.0; }));
  BOOST_TEST(r.fail(next, now, [] { return 0.0; }));
}

BOOST_AUTO_TEST_CASE(a_shorter_base_shortens_pauses_that_were_made_of_the_longer_one_alone) {
  const time_point now = time_point{} + seconds{100};
  const auto half = [] { return 0.5; };
  connect_backoff failed{std::chrono::hours{1}};
  failed.fail(failed.open(), now, half);
  failed.set_base(seconds{5});
  // Its tenth at random is still there.
  BOOST_TEST((failed.retry_at(true) == now + milliseconds{5250}));

  connect_backoff held{std::chrono::hours{1}};
  held.fail(held.open(), now, half);
  held.hold_until(now + seconds{30});
  held.set_base(seconds{1});
  BOOST_TEST((held.retry_at(true) == now + seconds{30}), "an order is no pause");

  connect_backoff raised{seconds{5}};
  raised.fail(raised.open(), now, half);
  const auto before = raised.retry_at(true);
  raised.set_base(std::chrono::hours{1});
  BOOST_TEST((raised.retry_at(true) == before));
  raised.set_base(seconds{5});
  BOOST_TEST((raised.retry_at(true) >= now + seconds{5}));

  connect_backoff broken{std::chrono::hours{1}};
  for (int i = 0; i < 20; ++i) broken.break_protocol(now + seconds{i}, now + seconds{i}, half);
  broken.set_base(seconds{1});
  BOOST_TEST((broken.retry_at(true) <= now + seconds{19} + milliseconds{1100}));
}

BOOST_AUTO_TEST_CASE(typical_connect_time_follows_what_is_seen) {
  connect_backoff r{seconds{1}};
  for (int i = 0; i < 50; ++i) r.succeed(r.open(), milliseconds{200});
  BOOST_TEST((r.typical_connect() > milliseconds{190}));
}

BOOST_AUTO_TEST_CASE(a_global_catalog_stands_by_for_catalogs_alone) {
  settings all;
  connection_info controller, catalog;
  controller.host = "a";
  controller.priority = 2;
  catalog.host = "b";
  catalog.priority = 1;
  catalog.role = server_role::global_catalog;
  all.servers = {controller, catalog};
  BOOST_TEST(!policy_of(all, controller, 0, "a").standby);
  BOOST_TEST(!policy_of(all, catalog, 1, "b").standby);
  // Nothing takes the controller's place; look-ups have the controller.
  BOOST_TEST((policy_of(all, controller, 0, "a").failover_timeout == duration::zero()));
  BOOST_TEST((policy_of(all, catalog, 1, "b").failover_timeout > duration::zero()));
  auto other = catalog;
  other.priority = 3;
  all.servers.push_back(other);
  BOOST_TEST(policy_of(all, other, 2, "c").standby);
  BOOST_TEST((policy_of(all, controller, 0, "a").failover_timeout == duration::zero()));
}

BOOST_AUTO_TEST_CASE(policy_knows_standby_servers_and_single_connections) {
  settings all;
  connection_info first, second;
  second.priority = 2;
  all.servers = {first, second};
  BOOST_TEST(!policy_of(all, first, 0, "a").standby);
  BOOST_TEST(policy_of(all, second, 1, "b").standby);
  BOOST_TEST((policy_of(all, first, 0, "a").failover_timeout == seconds{5}));
  all.servers = {first};
  BOOST_TEST((policy_of(all, first, 0, "a").failover_timeout == duration::zero()));
  all.pool.min_connections = 60;
  BOOST_TEST(policy_of(all, first, 0, "a").min == 50U);
  all.pool.use_pool = false;
  const auto single = policy_of(all, first, 0, "a");
  BOOST_TEST(single.min == 0U);
  BOOST_TEST(single.single);
  BOOST_TEST(single.max_pooled == 50U);
  BOOST_TEST(single.max_bind == 1U);
}
