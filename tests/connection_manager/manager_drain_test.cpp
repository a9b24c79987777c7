// The end of a runtime on virtual time: clean, cut off, with a mute pool, ordered twice.
#include "manager_fixture.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/actor_registry.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

struct draining : manager_fixture {
  draining() { start(); }

  answer_ptr<bool> drain_within(duration span) {
    const auto answer = virtual_runtime::start<bool>(manager, drain_atom_v, now() + span);
    run();
    return answer;
  }

  bool everybody_left() {
    manager = nullptr;
    children.let_go();
    run();
    return system.registry().running() == 0;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(drain_without_work_ends_at_once_and_clean, draining) {
  const auto answer = drain_within(seconds{10});
  BOOST_REQUIRE(answer->ok());
  BOOST_TEST(*answer->value);
  BOOST_TEST((children.breaker.told.back() == "drain"));
  BOOST_TEST((children.monitor.told.back() == "drain"));
  BOOST_TEST(everybody_left());
}

BOOST_FIXTURE_TEST_CASE(cut_off_pool_makes_the_drain_unclean, draining) {
  children.pools[1].drain = script::drain_mode::cut_off;
  const auto answer = drain_within(seconds{10});
  BOOST_REQUIRE(answer->ok());
  BOOST_TEST(!*answer->value);
  BOOST_TEST(everybody_left());
}

BOOST_FIXTURE_TEST_CASE(mute_pool_does_not_hold_up_the_end, draining) {
  children.pools[0].drain = script::drain_mode::mute;
  const auto answer = drain_within(seconds{10});
  advance(milliseconds{9900});
  BOOST_TEST(!answer->done());
  advance(milliseconds{500});
  BOOST_REQUIRE(answer->ok());
  BOOST_TEST(!*answer->value);
  BOOST_TEST(everybody_left());
}

BOOST_FIXTURE_TEST_CASE(pool_that_dies_while_it_drains_is_not_replaced, draining) {
  children.pools[0].drain = script::drain_mode::mute;
  const auto answer = drain_within(seconds{10});
  crash(children.running[0]);
  children.let_go();
  advance(seconds{11});
  BOOST_TEST(children.pools[0].started == 1);
  BOOST_REQUIRE(answer->ok());
  BOOST_TEST(!*answer->value);
  BOOST_TEST(everybody_left());
}

BOOST_FIXTURE_TEST_CASE(second_order_brings_the_end_forward, draining) {
  children.pools[0].drain = script::drain_mode::mute;
  const auto first = drain_within(seconds{60});
  advance(seconds{1});
  const auto second = drain_within(seconds{1});
  const auto later = drain_within(seconds{60});
  advance(seconds{2});
  for (const auto& answer : {first, second, later}) {
    BOOST_REQUIRE(answer->ok());
    BOOST_TEST(!*answer->value);
  }
  BOOST_TEST(everybody_left());
}

BOOST_FIXTURE_TEST_CASE(answers_to_an_earlier_order_do_not_count, draining) {
  children.pools[0].drain = script::drain_mode::mute;
  drain_within(seconds{60});
  const auto second = drain_within(seconds{10});
  tell(children.running[0], load_atom_v, connection_id{0});
  BOOST_TEST(!second->done());
  tell(children.running[0], load_atom_v, connection_id{1});
  BOOST_REQUIRE(second->ok());
  BOOST_TEST(*second->value);
  BOOST_TEST(everybody_left());
}

BOOST_FIXTURE_TEST_CASE(requests_after_the_end_get_an_error, draining) {
  const auto old = manager;
  drain_within(seconds{1});
  const auto answer = ask<result_ptr>(old, perform_atom_v, call{});
  BOOST_TEST(answer.done());
  BOOST_TEST(!answer.ok());
  BOOST_TEST((answer.code() == errc::stopped));
}

BOOST_FIXTURE_TEST_CASE(order_to_exit_ends_everything_at_once, draining) {
  children.pools[0].drain = script::drain_mode::mute;
  const auto answer = drain_within(seconds{60});
  caf::anon_send_exit(manager, caf::exit_reason::user_shutdown);
  run();
  BOOST_REQUIRE(answer->ok());
  BOOST_TEST(!*answer->value);
  BOOST_TEST(everybody_left());
}
