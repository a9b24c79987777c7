// When SRV records are looked up again, and what stays when they cannot be had.
#include "understudy/actors/connection_manager/srv_watcher.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using std::chrono::hours;
using std::chrono::minutes;

namespace {

service_answer found(std::vector<service_record> records, seconds ttl = seconds{300}) {
  return {std::move(records), ttl, {}};
}
service_answer problem(std::string why) { return {{}, {}, std::move(why)}; }
const service_record one{"a.example.com", 389, 1, 1}, two{"b.example.com", 389, 1, 1};

struct watching {
  time_point now{hours{1}};
  srv_watcher watch{"_ldap._tcp.example.com", {}, make_random(7), now};

  srv_watcher::news look_up(const service_answer& answer) {
    BOOST_REQUIRE((watch.next_event() < time_point::max()));
    now = std::max(now, watch.next_event());
    BOOST_REQUIRE(watch.start_if_due(now));
    return watch.answered(answer, now);
  }
  duration pause() const { return watch.next_event() - now; }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_first_look_up_is_due_at_once_and_one_runs_at_a_time, watching) {
  BOOST_TEST(!watch.settled());
  BOOST_TEST(watch.start_if_due(now));
  BOOST_TEST(!watch.start_if_due(now + hours{1}));
  BOOST_TEST(watch.answered(found({one}), now).changed);
  BOOST_TEST(watch.settled());
  BOOST_TEST(!watch.start_if_due(now));
}

BOOST_FIXTURE_TEST_CASE(the_time_to_live_says_when_to_look_again, watching) {
  look_up(found({one}, seconds{300}));
  BOOST_TEST((pause() >= seconds{270} && pause() <= seconds{330}));
}

BOOST_FIXTURE_TEST_CASE(a_time_to_live_is_kept_within_reason, watching) {
  for (int i = 0; i < 20; ++i) {
    look_up(found({one}, seconds{0}));
    BOOST_TEST((pause() >= seconds{30} && pause() <= seconds{33}));
    look_up(found({one}, hours{24 * 7}));
    BOOST_TEST((pause() >= minutes{54} && pause() <= hours{1}));
  }
}

BOOST_FIXTURE_TEST_CASE(the_same_records_in_another_order_are_no_change, watching) {
  look_up(found({one, two}));
  BOOST_TEST(!look_up(found({two, one}, seconds{60})).changed);
  auto heavier = one;
  heavier.weight = 9;
  BOOST_TEST(look_up(found({two, heavier})).changed);
}

BOOST_FIXTURE_TEST_CASE(a_failure_keeps_the_records_and_is_news_once, watching) {
  look_up(found({one}));
  const auto first = look_up(problem("no name server answered"));
  BOOST_TEST(first.failing);
  BOOST_TEST(!first.changed);
  BOOST_TEST(watch.records().size() == 1U);
  BOOST_TEST(!look_up(found({})).failing);  // an empty answer is a failure like any other
  BOOST_TEST(watch.records().size() == 1U);
  BOOST_TEST(watch.problem() == "the name has no SRV records");
  const auto well = look_up(found({one}));
  BOOST_TEST(well.recovered);
  BOOST_TEST(!well.changed);
  BOOST_TEST(watch.problem().empty());
}

BOOST_FIXTURE_TEST_CASE(failures_are_retried_ever_less_often, watching) {
  duration before{};
  for (int i = 0; i < 40; ++i) {
    look_up(problem("x"));
    BOOST_TEST((pause() <= seconds{66}));
    if (i < 6) BOOST_TEST((pause() > before));
    before = pause();
  }
  BOOST_TEST((pause() >= seconds{54}));
}

BOOST_FIXTURE_TEST_CASE(a_dot_says_that_the_service_is_not_offered, watching) {
  BOOST_TEST(look_up(found({{".", 0, 0, 0}})).failing);
  BOOST_TEST(watch.records().empty());
  const auto why = watch.no_server_reason(now);
  BOOST_TEST((why->code == errc::no_server));
  BOOST_TEST(why->message.find("does not offer the service") != std::string::npos, why->message);
}

BOOST_FIXTURE_TEST_CASE(what_requests_are_told_names_the_record_and_the_cause, watching) {
  BOOST_TEST(watch.no_server_reason(now)->message.find("for the first time") != std::string::npos);
  look_up(problem("no name server answered"));
  const auto why = watch.no_server_reason(now);
  BOOST_TEST(why->message.find("\"_ldap._tcp.example.com\"") != std::string::npos, why->message);
  BOOST_TEST(why->message.find("no name server answered") != std::string::npos, why->message);
  BOOST_TEST((why->where == stage::resolve));
  BOOST_REQUIRE(why->retry_after.has_value());
  BOOST_TEST((*why->retry_after > milliseconds{0} && *why->retry_after <= milliseconds{1100}));
}

BOOST_FIXTURE_TEST_CASE(a_look_up_that_hangs_fails_in_time_and_no_other_is_started, watching) {
  watch.start_if_due(now);
  BOOST_TEST((watch.next_event() == now + seconds{5}));
  now += seconds{5};
  BOOST_TEST(watch.tick(now).failing);
  BOOST_TEST(watch.settled());
  BOOST_TEST((watch.next_event() == time_point::max()));
  now += hours{1};
  BOOST_TEST(!watch.start_if_due(now));
  BOOST_TEST(!watch.tick(now).failing);
  const auto late = watch.answered(found({one}), now);
  BOOST_TEST(late.changed);
  BOOST_TEST(late.recovered);
}

BOOST_FIXTURE_TEST_CASE(when_every_server_is_down_it_looks_soon_but_not_all_the_time, watching) {
  look_up(found({one}, hours{1}));
  watch.hasten(now);
  BOOST_TEST((watch.next_event() == now + seconds{5}));
  now += minutes{5};
  watch.hasten(now);
  BOOST_TEST(watch.start_if_due(now));
}
