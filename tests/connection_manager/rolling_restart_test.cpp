// One server after the other is restarted: the one that is up again serves when the next one goes.
#include "made_up_directory.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

/// Two servers; the first was down for `down`, is up again for `up`, and the second one goes.
struct rolling_restart : whole {
  rolling_restart(duration down, duration up) : whole({1, 2}) {
    begin();
    BOOST_TEST_REQUIRE(search().ok());
    take_down(0);
    BOOST_TEST_REQUIRE(search().ok());
    advance(down);
    bring_up(0);
    advance(up);
  }
  std::shared_ptr<answer<result_ptr>> ask_one(duration patience) {
    const auto found = start<result_ptr>(manager, perform_atom_v, call_of(search_request{}, patience));
    run();
    return found;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_server_that_is_up_again_serves_as_soon_as_the_last_one_goes) {
  for (const duration down : {seconds{5}, seconds{20}, seconds{60}})
    for (const duration up : {milliseconds{10}, milliseconds{500}, milliseconds{3000}}) {
      rolling_restart w{down, up};
      w.take_down(1);
      // More of them than a half-open server takes, and none has the time for recovery.recovery_delay.
      std::vector<std::shared_ptr<answer<result_ptr>>> all;
      for (int i = 0; i < 20; ++i) all.push_back(w.ask_one(seconds{2}));
      w.advance(milliseconds{1500});
      for (const auto& one : all) {
        BOOST_TEST_REQUIRE(one->done());
        BOOST_TEST_REQUIRE(one->ok(), down / milliseconds{1} << " ms down, " << up / milliseconds{1} << " ms up");
        BOOST_TEST((*one->value)->server == "ldap1:389");
      }
    }
}

BOOST_AUTO_TEST_CASE(nobody_waits_when_the_others_are_still_down) {
  rolling_restart w{seconds{20}, seconds{3}};
  w.take_down(0);
  w.take_down(1);
  w.advance(milliseconds{50});
  const auto one = w.ask_one(seconds{30});
  BOOST_TEST_REQUIRE(one->done());
  BOOST_TEST((one->code() == errc::breaker_open));
}

BOOST_AUTO_TEST_CASE(a_server_that_still_hangs_is_waited_for_once_and_within_the_deadline) {
  whole w({1, 2});
  w.begin();
  w.pause(0);
  BOOST_TEST_REQUIRE(w.search().ok());
  w.advance(seconds{20});
  w.take_down(1);
  const auto ask = [&](duration patience) {
    const auto found = w.start<result_ptr>(w.manager, perform_atom_v, w.call_of(search_request{}, patience));
    w.run();
    return found;
  };
  const auto hasty = ask(milliseconds{300}), patient = ask(seconds{10});
  w.advance(milliseconds{300});
  BOOST_TEST_REQUIRE(hasty->done());
  BOOST_TEST((hasty->code() == errc::breaker_open));
  w.advance(milliseconds{1200});
  BOOST_TEST_REQUIRE(patient->done());
  BOOST_TEST((patient->code() == errc::breaker_open));
  const auto late = ask(seconds{10});
  BOOST_TEST_REQUIRE(late->done());
  BOOST_TEST((late->code() == errc::breaker_open));
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_look_may_cancel_and_is_told_of_the_end) {
  for (const bool cancels : {true, false}) {
    whole w({1, 2});
    w.begin();
    w.pause(0);
    BOOST_TEST_REQUIRE(w.search().ok());
    w.advance(seconds{20});
    w.take_down(1);
    auto asked = w.call_of(search_request{}, seconds{10});
    asked.token = std::make_shared<cancel_token>();
    const auto token = asked.token;
    const auto found = w.start<result_ptr>(w.manager, perform_atom_v, asked);
    w.run();
    BOOST_TEST_REQUIRE(!found->done());
    if (cancels) {
      token->cancel();
      w.tell(w.manager, cancel_atom_v, token);
    } else {
      caf::anon_send(w.manager, drain_atom_v, w.now() + seconds{1});
      w.run();
    }
    BOOST_TEST_REQUIRE(found->done());
    BOOST_TEST((found->code() == (cancels ? errc::cancelled : errc::draining)));
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_is_up_again_serves_as_soon_as_the_last_one_hangs) {
  for (const duration down : {seconds{5}, seconds{20}, seconds{60}})
    for (const duration up : {milliseconds{10}, milliseconds{500}, milliseconds{3000}}) {
      rolling_restart w{down, up};
      w.pause(1);
      std::vector<std::shared_ptr<answer<result_ptr>>> all;
      for (int i = 0; i < 20; ++i) all.push_back(w.ask_one(seconds{5}));
      // The silence, and a probe for which another server is there.
      w.advance(milliseconds{1500});
      for (const auto& one : all) {
        BOOST_TEST_REQUIRE(one->done(), down / milliseconds{1} << " ms down, " << up / milliseconds{1} << " ms up");
        BOOST_TEST_REQUIRE(one->ok());
        BOOST_TEST((*one->value)->server == "ldap1:389");
      }
    }
}

BOOST_AUTO_TEST_CASE(a_last_server_that_hangs_while_the_others_are_down_keeps_its_time) {
  rolling_restart w{seconds{20}, seconds{3}};
  w.take_down(0);
  w.pause(1);
  const auto one = w.ask_one(seconds{10});
  w.advance(seconds{3});
  BOOST_TEST(!one->done());
  w.bring_up(1);
  w.advance(milliseconds{500});
  BOOST_TEST_REQUIRE(one->done());
  BOOST_TEST_REQUIRE(one->ok());
  BOOST_TEST((*one->value)->server == "ldap2:389");
}
