// Requests as they end: while somebody watches, so many a second, the rest counted.
#include "understudy/actors/metrics/operation_tap.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

namespace {

struct settable_clock final : clock_port {
  time_point now() const override { return at; }
  wall_time wall_now() const override { return wall_time{seconds{1'700'000'000}}; }
  time_point at{seconds{1000}};
};

struct rig {
  void ends(const char* operation = "relayed search") {
    result answer;
    answer.code = 32;
    answer.server = "ldap1:389";
    tap.note(sample_of(operation, &answer, nullptr), 3ms, clock);
  }
  settable_clock clock;
  operation_tap tap;
};

}  // namespace

BOOST_AUTO_TEST_CASE(what_ends_is_told_once_to_each_who_watches) {
  rig r;
  r.ends();
  const auto begun = r.tap.begin(r.clock.at), other = r.tap.begin(r.clock.at);
  BOOST_TEST(begun.samples.empty());
  r.ends();
  r.ends("bind");
  for (const auto& from : {begun.next, other.next}) {
    const auto seen = r.tap.since(from, r.clock.at);
    BOOST_TEST_REQUIRE(seen.samples.size() == 2U);
    BOOST_TEST(seen.samples[0].operation == "search");
    BOOST_TEST(seen.samples[0].code == 32);
    BOOST_TEST(seen.samples[0].server == "ldap1:389");
    BOOST_TEST((seen.samples[0].took == 3ms));
    BOOST_TEST((seen.samples[0].at == wall_time{seconds{1'700'000'000}}));
    BOOST_TEST(seen.samples[1].operation == "bind");
    BOOST_TEST(seen.dropped == 0U);
    BOOST_TEST(r.tap.since(seen.next, r.clock.at).samples.empty());
  }
}

BOOST_AUTO_TEST_CASE(nobody_is_watching_when_nobody_has_asked_for_a_while) {
  rig r;
  BOOST_TEST(!r.tap.is_watched(r.clock.at));
  r.tap.begin(r.clock.at);
  BOOST_TEST(r.tap.is_watched(r.clock.at + operation_tap::watched_for - 1ms));
  BOOST_TEST(!r.tap.is_watched(r.clock.at + operation_tap::watched_for));
  r.tap.since(0, r.clock.at + 4s);
  BOOST_TEST(r.tap.is_watched(r.clock.at + 8s));
}

BOOST_AUTO_TEST_CASE(what_is_more_than_a_second_may_tell_is_counted) {
  rig r;
  const auto begun = r.tap.begin(r.clock.at);
  for (std::uint64_t i = 0; i < operation_tap::most_each_second + 70; ++i) r.ends();
  const auto seen = r.tap.since(begun.next, r.clock.at);
  BOOST_TEST(seen.samples.size() == operation_tap::most_each_second);
  BOOST_TEST(seen.dropped == 70U);
  r.clock.at += 1s;
  r.ends();
  const auto later = r.tap.since(seen.next, r.clock.at);
  BOOST_TEST(later.samples.size() == 1U);
  BOOST_TEST(later.dropped == 0U);
}

BOOST_AUTO_TEST_CASE(who_asks_too_seldom_is_told_how_much_it_has_missed) {
  rig r;
  const auto begun = r.tap.begin(r.clock.at);
  for (int second = 0; second < 4; ++second) {
    for (std::uint64_t i = 0; i < operation_tap::most_each_second; ++i) r.ends();
    r.clock.at += 1s;
  }
  const auto seen = r.tap.since(begun.next, r.clock.at);
  BOOST_TEST(seen.samples.size() == operation_tap::most_kept);
  BOOST_TEST(seen.dropped == 4 * operation_tap::most_each_second - operation_tap::most_kept);
  // A number that a hostile peer made up.
  BOOST_TEST(r.tap.since(UINT64_MAX, r.clock.at).samples.empty());
  BOOST_TEST(r.tap.since(UINT64_MAX, r.clock.at).dropped == 0U);
}

BOOST_AUTO_TEST_CASE(a_sample_of_a_failure_says_which) {
  const auto why = make_failure(errc::operation_timeout, stage::operation, "It took too long.", "ldap2:389");
  const auto sample = sample_of("search", nullptr, why.get());
  BOOST_TEST(sample.error == "operation_timeout");
  BOOST_TEST(sample.server == "ldap2:389");
  failure no = *why;
  no.code = errc::ldap_error;
  no.ldap_code = 50;
  BOOST_TEST(sample_of("search", nullptr, &no).code == 50);
}
