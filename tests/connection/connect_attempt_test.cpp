// Which address is dialled when, which one counts, and one failure made of what happened.
#include "understudy/actors/connection/connect_attempt.hpp"
#include "understudy/actors/connection/outcome_batch.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

namespace {

const time_point start{seconds{1000}};

std::vector<socket_address> addresses(int n) {
  std::vector<socket_address> all;
  for (int i = 1; i <= n; ++i) all.push_back({2, "bytes", "192.0.2." + std::to_string(i) + ":389"});
  return all;
}

failure refused(const char* text) {
  failure f;
  f.code = errc::connection_failed;
  f.where = stage::connect;
  f.message = text;
  return f;
}

/// -1: none.
int number_of(const std::optional<connect_attempt::order>& order) {
  return order ? static_cast<int>(order->number) : -1;
}

}  // namespace

BOOST_AUTO_TEST_CASE(dials_the_next_address_beside_a_silent_one) {
  connect_attempt one{"ldap1:389", start, seconds{30}, seconds{1}};
  one.set_addresses(addresses(3));
  BOOST_TEST(number_of(one.next(start)) == 0);
  BOOST_TEST((one.due_at() == start + milliseconds{250}));
  BOOST_TEST(number_of(one.next(start + milliseconds{249})) == -1);
  BOOST_TEST(number_of(one.next(start + milliseconds{250})) == 1);
  BOOST_TEST(number_of(one.next(start + milliseconds{250})) == -1);
  BOOST_TEST(number_of(one.next(start + milliseconds{500})) == 2);
  BOOST_TEST(one.dialled().size() == 3u);
  // All are under way: whichever answers has all the time that is left.
  BOOST_TEST((one.due_at() == start + seconds{30}));
  one.reached(1);
  BOOST_TEST(one.address() == "192.0.2.2:389");
  BOOST_TEST(one.dialled().empty());
  BOOST_TEST(number_of(one.next(start + seconds{20})) == -1);
}

BOOST_AUTO_TEST_CASE(dials_the_next_address_at_once_when_nothing_is_under_way) {
  connect_attempt one{"ldap1:389", start, seconds{30}, seconds{1}};
  one.set_addresses(addresses(3));
  one.next(start);
  one.dial_failed(0, refused("Connection refused"));
  BOOST_TEST(!one.exhausted(start));
  BOOST_TEST(number_of(one.next(start)) == 1);
  one.dial_failed(1, refused("Connection refused"));
  BOOST_TEST(number_of(one.next(start)) == 2);
  BOOST_TEST(!one.exhausted(start));
  one.dial_failed(2, refused("Connection refused"));
  BOOST_TEST(one.exhausted(start));
  BOOST_TEST(number_of(one.next(start)) == -1);
}

BOOST_AUTO_TEST_CASE(dials_in_place_of_the_one_that_is_silent_longest_where_sockets_are_counted) {
  connect_attempt one{"ldap1:389", start, seconds{30}, seconds{1}};
  one.set_addresses(addresses(3));
  int asked = 0;
  bool room = true;
  const auto beside = [&] { return ++asked, room; };
  BOOST_TEST(number_of(one.next(start, beside)) == 0);
  BOOST_TEST(asked == 0);  // the first needs no room beside others
  BOOST_TEST(!one.next(start + connect_attempt::stagger, beside)->in_place_of);
  BOOST_TEST(asked == 1);
  room = false;
  const auto last = one.next(start + 2 * connect_attempt::stagger, beside);
  BOOST_TEST(number_of(last) == 2);
  BOOST_TEST((last->in_place_of == std::optional<std::size_t>{0}));
  BOOST_TEST(one.dialled().size() == 2U);
}

BOOST_AUTO_TEST_CASE(dials_few_at_once_and_still_every_address) {
  connect_attempt one{"ldap1:389", start, seconds{30}, seconds{1}};
  one.set_addresses(addresses(20));
  time_point now = start;
  for (int i = 0; i < 20; ++i, now += connect_attempt::stagger) {
    const auto order = one.next(now);
    BOOST_TEST_REQUIRE(number_of(order) == i);
    BOOST_TEST(one.dialled().size() <= connect_attempt::most_dialled);
    BOOST_TEST(order->in_place_of.has_value() == (i >= static_cast<int>(connect_attempt::most_dialled)));
    if (order->in_place_of) BOOST_TEST(*order->in_place_of + connect_attempt::most_dialled == order->number);
  }
  BOOST_TEST((now < start + seconds{6}));
  for (const auto number : one.dialled()) one.dial_failed(number, refused("no answer"));
  const auto why = one.verdict()->message;
  BOOST_TEST(why.find("192.0.2.8:389: no answer; and 12 more.") != std::string::npos, why);
}

BOOST_AUTO_TEST_CASE(leaves_an_address_that_says_nothing_once_it_was_reached) {
  connect_attempt one{"ldap1:389", start, seconds{30}, seconds{1}};
  one.set_addresses(addresses(3));
  one.next(start);
  one.next(start + milliseconds{250});
  one.reached(0);
  one.begin(stage::bind, start + milliseconds{300});
  BOOST_TEST((one.due_at() == start + milliseconds{1300}));
  // What we wait for ourselves is not held against it, and bounded by as much again as the attempt may take.
  one.pause(start + milliseconds{300});
  BOOST_TEST((one.due_at() == start + milliseconds{300} + seconds{30}));
  one.ask(start + seconds{2});
  BOOST_TEST((one.due_at() == start + seconds{3}));
  one.failed(refused("timed out"));
  // The second was dialled and lost the race: it is as good as new.
  BOOST_TEST(number_of(one.next(start + seconds{3})) == 1);
  one.reached(1);
  one.failed(refused("timed out"));
  BOOST_TEST(number_of(one.next(start + seconds{3})) == 2);
  one.reached(2);
  one.begin(stage::bind, start + seconds{3});
  // Nor is it part of the time that connecting may take.
  BOOST_TEST((one.due_at() == start + seconds{30} + milliseconds{1700}));
  one.failed(refused("timed out"));
  BOOST_TEST(one.exhausted(start + seconds{30}));
}

BOOST_AUTO_TEST_CASE(a_server_that_is_asked_whether_it_lives_is_waited_for_no_longer_than_others) {
  connect_attempt one{"ldap1:389", start, seconds{30}, seconds{1}};
  one.set_addresses(addresses(2));
  one.next(start);
  one.reached(0);
  one.begin(stage::bind, start);
  one.pause(start);
  one.check_liveness(start + milliseconds{50});
  BOOST_TEST(!one.held_up());
  BOOST_TEST((one.awaited_since() == start + milliseconds{50}));
  BOOST_TEST((one.due_at() == start + milliseconds{1050}));
  one.liveness_answered();
  BOOST_TEST(one.held_up());
  BOOST_TEST((one.awaited_since() == time_point::max()));
  BOOST_TEST((one.due_at() == start + seconds{30}));
  one.ask(start + seconds{2});
  BOOST_TEST(one.held_up(), "it waited noticeably for something of ours");
}

BOOST_AUTO_TEST_CASE(tries_no_address_when_the_time_is_over) {
  connect_attempt one{"ldap1:389", start, seconds{1}, seconds{1}};
  one.set_addresses(addresses(2));
  BOOST_TEST(number_of(one.next(start + seconds{1})) == -1);
  BOOST_TEST(one.exhausted(start + seconds{1}));
}

BOOST_AUTO_TEST_CASE(tells_what_happened_at_each_address) {
  connect_attempt one{"ldap1:389", start, seconds{6}, seconds{1}};
  one.set_addresses(addresses(2));
  one.next(start);
  one.dial_failed(0, refused("Connection refused"));
  one.next(start);
  one.reached(1);
  one.failed(refused("the server closed the connection"));
  const auto why = one.verdict();
  BOOST_TEST((why->code == errc::connection_failed));
  BOOST_TEST((why->where == stage::connect));
  BOOST_TEST(why->server == "ldap1:389");
  BOOST_TEST(
      why->message.find("192.0.2.1:389: Connection refused; 192.0.2.2:389: the server closed") != std::string::npos,
      why->message);
}

BOOST_AUTO_TEST_CASE(times_each_step_of_connecting) {
  connect_attempt one{"ldap1:389", start, seconds{6}, seconds{1}};
  one.begin(stage::resolve, start);
  one.begin(stage::connect, start + seconds{1});
  one.finish(false, start + seconds{3});
  one.begin(stage::connect, start + seconds{3});
  one.begin(stage::bind, start + seconds{4});
  one.finish(true, start + seconds{5});
  BOOST_REQUIRE(one.steps().size() == 4u);
  BOOST_TEST((one.steps()[0].took == seconds{1}));
  BOOST_TEST(!one.steps()[1].ok);
  BOOST_TEST((one.steps()[1].took == seconds{2}));
  BOOST_TEST((one.steps()[3].what == stage::bind));
  BOOST_TEST((one.took() == seconds{5}));
}

BOOST_AUTO_TEST_CASE(the_step_that_runs_did_not_succeed_yet) {
  connect_attempt one{"ldap1:389", start, seconds{10}, seconds{1}};
  one.begin(stage::resolve, start);
  one.begin(stage::connect, start + seconds{1});
  const auto steps = one.steps_until(start + seconds{3});
  BOOST_REQUIRE(steps.size() == 2u);
  BOOST_TEST(steps[0].ok);
  BOOST_TEST((steps[1].what == stage::connect));
  BOOST_TEST(!steps[1].ok);
  BOOST_TEST((steps[1].took == seconds{2}));
  one.finish(true, start + seconds{4});
  BOOST_TEST(one.steps_until(start + seconds{5}).back().ok);
}

BOOST_AUTO_TEST_CASE(gathers_successes_and_sends_them_with_the_next_failure) {
  outcome_batch batch{3};
  BOOST_TEST(!batch.turn_to(1).has_value());
  BOOST_TEST(!batch.flush().has_value());
  BOOST_TEST(batch.success(milliseconds{2}, start));
  BOOST_TEST(!batch.success(milliseconds{3}, start + milliseconds{50}));
  BOOST_TEST((batch.due_at() == start + outcome_batch::every));
  const auto report = batch.failed(failure_class::overload, nullptr, true);
  BOOST_TEST(report.server == 3u);
  BOOST_TEST(report.generation == 1u);
  BOOST_TEST(report.successes == 2u);
  BOOST_TEST((report.latency_total == milliseconds{5}));
  BOOST_TEST((report.failed == failure_class::overload));
  BOOST_TEST(report.trial);
  BOOST_TEST((batch.due_at() == time_point::max()));
  BOOST_TEST(!batch.flush().has_value());
}

BOOST_AUTO_TEST_CASE(keeps_outcomes_of_different_generations_apart) {
  outcome_batch batch{3};
  batch.turn_to(1);
  batch.success(milliseconds{2}, start);
  const auto earlier = batch.turn_to(2);
  BOOST_REQUIRE(earlier.has_value());
  BOOST_TEST(earlier->generation == 1u);
  BOOST_TEST(earlier->successes == 1u);
  batch.success(milliseconds{2}, start);
  const auto later = batch.flush();
  BOOST_REQUIRE(later.has_value());
  BOOST_TEST(later->generation == 2u);
  BOOST_TEST(!later->failed.has_value());
}
