// Limits that are not kept are named with value and limit, what is at its limit is normal; told at beginning and end.
#include "understudy/runtime/client/thresholds.hpp"

#include "understudy/runtime/client/alert_story.hpp"
#include "understudy/runtime/client/recent_connects.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

namespace {

runtime_snapshot calm() {
  runtime_snapshot s;
  // Long ago it was worse.
  s.operations.total = 1000;
  s.operations.failed = s.operations.failed_by_directory = 500;
  s.operations.last_five_minutes = {100, 5};
  for (const char* host : {"ldap1", "ldap2"}) {
    server_snapshot server;
    server.host = host;
    server.port = 389;
    server.pool.max_connections = 10;
    server.pool.now.in_use = 8;
    s.servers.push_back(server);
  }
  return s;
}

const time_point alerts_began{seconds{1000}};

missed_limit missing(const std::string& limit, double value) { return {{limit + " is not kept", value, 80}, limit}; }

latency_counts connects(std::uint64_t count, duration total) {
  latency_counts made;
  made.count = count;
  made.total = total;
  return made;
}

}  // namespace

BOOST_AUTO_TEST_CASE(values_at_their_limits_are_normal) {
  BOOST_TEST(check_thresholds(calm(), milliseconds{100}, {}).empty());
}

BOOST_AUTO_TEST_CASE(nothing_measured_is_normal) { BOOST_TEST(check_thresholds({}, duration::zero(), {}).empty()); }

BOOST_AUTO_TEST_CASE(slow_connects_are_named) {
  const auto found = check_thresholds(calm(), std::chrono::microseconds{150500}, {});
  BOOST_REQUIRE(found.size() == 1U);
  BOOST_TEST(found[0].message == "New connections took 150.5 ms on average to become ready, more than 100.0 ms.");
  BOOST_TEST(found[0].current_value == 150.5);
  BOOST_TEST(found[0].threshold == 100);
}

BOOST_AUTO_TEST_CASE(low_success_rate_is_named) {
  auto s = calm();
  s.operations.last_five_minutes = {100, 6};
  const auto found = check_thresholds(s, duration::zero(), {});
  BOOST_REQUIRE(found.size() == 1U);
  BOOST_TEST(found[0].message ==
             "The directory failed 6 of the 100 requests of the last five minutes: a success rate of 94.0 %, less than "
             "95.0 %.");
  BOOST_TEST(found[0].current_value == 94);
  BOOST_TEST(found[0].threshold == 95);
}

BOOST_AUTO_TEST_CASE(full_pool_is_named_beside_an_idle_one) {
  auto s = calm();
  s.servers[0].pool.now.in_use = 9;
  s.servers[1].pool.now.in_use = 0;
  const auto found = check_thresholds(s, duration::zero(), {});
  BOOST_REQUIRE(found.size() == 1U);
  BOOST_TEST(found[0].message == "The pool of ldap1:389 has 90.0 % of its connections in use, more than 80.0 %.");
  BOOST_TEST(found[0].current_value == 90);
  BOOST_TEST(found[0].threshold == 80);
}

BOOST_AUTO_TEST_CASE(limits_come_from_the_settings) {
  monitoring_settings m;
  m.max_connection_time = 5;
  m.min_success_rate = 99;
  m.max_pool_utilization = 50;
  BOOST_TEST(check_thresholds(calm(), milliseconds{6}, thresholds_of(m)).size() == 4U);
}

BOOST_AUTO_TEST_CASE(an_alert_is_told_when_it_begins_and_when_it_ends) {
  alert_story story;
  BOOST_TEST(story.look({}, alerts_began).empty());
  const auto begins = story.look({missing("a", 90)}, alerts_began);
  BOOST_TEST_REQUIRE(begins.size() == 1U);
  BOOST_TEST(begins[0].begins);
  BOOST_TEST(begins[0].text == "a is not kept");
  BOOST_TEST(begins[0].current_value == 90);
  BOOST_TEST(begins[0].threshold == 80);
  // A day of it, with other values.
  for (int i = 1; i <= 24 * 60; ++i)
    BOOST_TEST_REQUIRE(story.look({missing("a", 90 + i % 7)}, alerts_began + std::chrono::minutes{i}).empty());
  const auto ends = story.look({}, alerts_began + std::chrono::hours{25});
  BOOST_TEST_REQUIRE(ends.size() == 1U);
  BOOST_TEST(!ends[0].begins);
  BOOST_TEST(ends[0].text == "The limit of a is kept again, after 90000 s.");
  BOOST_TEST(story.look({}, alerts_began + std::chrono::hours{26}).empty());
  BOOST_TEST(story.look({missing("a", 85)}, alerts_began + std::chrono::hours{27}).size() == 1U);
}

BOOST_AUTO_TEST_CASE(each_alert_has_a_story_of_its_own) {
  alert_story story;
  BOOST_TEST(story.look({missing("a", 90), missing("b", 90)}, alerts_began).size() == 2U);
  const auto turns = story.look({missing("b", 90), missing("c", 90)}, alerts_began + seconds{30});
  BOOST_TEST_REQUIRE(turns.size() == 2U);
  BOOST_TEST(turns[0].text == "c is not kept");
  BOOST_TEST(turns[1].text == "The limit of a is kept again, after 30 s.");
}

BOOST_AUTO_TEST_CASE(connects_of_long_ago_are_no_alert_of_today) {
  recent_connects lately;
  BOOST_TEST((lately.average({}, alerts_began) == duration::zero()));
  // Two slow ones, and nothing for five minutes, then two fast ones.
  BOOST_TEST((lately.average(connects(2, milliseconds{2000}), alerts_began + seconds{30}) == milliseconds{1000}));
  BOOST_TEST((lately.average(connects(2, milliseconds{2000}), alerts_began + seconds{329}) == milliseconds{1000}));
  BOOST_TEST((lately.average(connects(2, milliseconds{2000}), alerts_began + seconds{330}) == duration::zero()));
  BOOST_TEST((lately.average(connects(4, milliseconds{2020}), alerts_began + seconds{360}) == milliseconds{10}));
}

BOOST_AUTO_TEST_CASE(an_older_look_that_comes_late_changes_nothing) {
  recent_connects lately;
  lately.average(connects(7, milliseconds{7000}), alerts_began);
  lately.average(connects(7, milliseconds{7000}), alerts_began + seconds{300});
  BOOST_TEST((lately.average(connects(9, milliseconds{7040}), alerts_began + seconds{310}) == milliseconds{20}));
  BOOST_TEST((lately.average(connects(8, milliseconds{7020}), alerts_began + seconds{310}) == milliseconds{20}));
  BOOST_TEST((lately.average(connects(9, milliseconds{7040}), alerts_began + seconds{311}) == milliseconds{20}));
}

BOOST_AUTO_TEST_CASE(looks_that_are_kept_are_few) {
  recent_connects lately;
  for (int i = 0; i < 100'000; ++i) lately.average(connects(1, milliseconds{1}), alerts_began + milliseconds{10 * i});
  BOOST_TEST(lately.kept() <= 61U);
}
