// Addresses in order, each with its share of the time, and one failure made of what happened.
#include "understudy/actors/connection/dial_plan.hpp"
#include "understudy/actors/connection/outcome_batch.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;

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

}  // namespace

BOOST_AUTO_TEST_CASE(gives_the_last_address_all_the_time_that_is_left) {
  dial_plan plan{"ldap1:389", start, seconds{30}};
  plan.set_addresses(addresses(1));
  BOOST_TEST(plan.next(start)->text == "192.0.2.1:389");
  BOOST_TEST((plan.address_deadline() == start + seconds{30}));
  BOOST_TEST(plan.next(start) == nullptr);
}

BOOST_AUTO_TEST_CASE(lets_no_silent_address_use_up_the_time_of_the_others) {
  dial_plan plan{"ldap1:389", start, seconds{6}};
  plan.set_addresses(addresses(3));
  BOOST_TEST(plan.next(start)->text == "192.0.2.1:389");
  BOOST_TEST((plan.address_deadline() == start + seconds{2}));
  BOOST_TEST(plan.next(start + seconds{2})->text == "192.0.2.2:389");
  BOOST_TEST((plan.address_deadline() == start + seconds{4}));
  BOOST_TEST(plan.next(start + seconds{4})->text == "192.0.2.3:389");
  BOOST_TEST((plan.address_deadline() == start + seconds{6}));

  dial_plan patient{"ldap1:389", start, seconds{60}};
  patient.set_addresses(addresses(2));
  patient.next(start);
  BOOST_TEST((patient.address_deadline() == start + seconds{5}));
}

BOOST_AUTO_TEST_CASE(tries_no_address_when_the_time_is_over) {
  dial_plan plan{"ldap1:389", start, seconds{1}};
  plan.set_addresses(addresses(2));
  BOOST_TEST(plan.next(start + seconds{1}) == nullptr);
}

BOOST_AUTO_TEST_CASE(tells_what_happened_at_each_address) {
  dial_plan plan{"ldap1:389", start, seconds{6}};
  plan.set_addresses(addresses(2));
  plan.next(start);
  plan.failed(refused("Connection refused"));
  plan.next(start);
  plan.failed(refused("No route to host"));
  const auto why = plan.verdict();
  BOOST_TEST((why->code == errc::connection_failed));
  BOOST_TEST((why->where == stage::connect));
  BOOST_TEST(why->server == "ldap1:389");
  BOOST_TEST(why->message.find("192.0.2.1:389: Connection refused; 192.0.2.2:389: No route") != std::string::npos,
             why->message);
}

BOOST_AUTO_TEST_CASE(times_each_step_of_connecting) {
  dial_plan plan{"ldap1:389", start, seconds{6}};
  plan.begin(stage::resolve, start);
  plan.begin(stage::connect, start + seconds{1});
  plan.finish(false, start + seconds{3});
  plan.begin(stage::connect, start + seconds{3});
  plan.begin(stage::bind, start + seconds{4});
  plan.finish(true, start + seconds{5});
  BOOST_REQUIRE(plan.steps().size() == 4u);
  BOOST_TEST((plan.steps()[0].took == seconds{1}));
  BOOST_TEST(!plan.steps()[1].ok);
  BOOST_TEST((plan.steps()[1].took == seconds{2}));
  BOOST_TEST((plan.steps()[3].what == stage::bind));
  BOOST_TEST((plan.took() == seconds{5}));
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
