// What was asked in the last five minutes, step by step.
#include "understudy/actors/metrics/registry.hpp"

#include <boost/test/unit_test.hpp>
#include <numeric>
#include <thread>

using namespace understudy;
using namespace understudy::internal;

namespace {

const time_point first_moment = time_point{} + std::chrono::hours{1};

std::uint64_t all_of(const std::vector<request_step>& steps) {
  return std::accumulate(steps.begin(), steps.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const request_step& s) { return sum + s.total; });
}

}  // namespace

BOOST_AUTO_TEST_CASE(history_has_each_step_that_is_over_oldest_first) {
  request_history h;
  for (int i = 0; i < 3; ++i) h.add(milliseconds{1}, first_moment);
  h.add(milliseconds{1}, first_moment + milliseconds{4999});
  for (int i = 0; i < 7; ++i) h.add(milliseconds{1}, first_moment + seconds{5});
  BOOST_TEST(h.steps(first_moment + milliseconds{4999}).size() == request_history::steps_told);
  BOOST_TEST(all_of(h.steps(first_moment + milliseconds{4999})) == 0U);  // that one still runs
  const auto first = h.steps(first_moment + seconds{5});
  BOOST_TEST(first.back().total == 4U);
  BOOST_TEST(all_of(first) == 4U);
  const auto both = h.steps(first_moment + seconds{12});
  BOOST_TEST(both[58].total == 4U);
  BOOST_TEST(both[59].total == 7U);
}

BOOST_AUTO_TEST_CASE(history_forgets_what_is_older_than_five_minutes) {
  request_history h;
  h.add(milliseconds{1}, first_moment);
  BOOST_TEST(h.steps(first_moment + seconds{300}).front().total == 1U);
  // All places of the ring come round again, and it is as if nothing had been there.
  for (int later = 305; later < 1300; later += 5) BOOST_TEST(all_of(h.steps(first_moment + seconds{later})) == 0U);
  h.add(milliseconds{1}, first_moment + seconds{320});  // the place of the first one
  BOOST_TEST(h.steps(first_moment + seconds{325}).back().total == 1U);
}

BOOST_AUTO_TEST_CASE(history_estimates_latency_within_its_bounds) {
  request_history h;
  for (int i = 0; i < 90; ++i) h.add(milliseconds{2}, first_moment);   // more than 1 ms, at most 2.5
  for (int i = 0; i < 10; ++i) h.add(milliseconds{80}, first_moment);  // more than 50 ms, at most 100
  h.add(std::chrono::hours{1}, first_moment + seconds{5});             // beyond all
  h.add(duration{-1}, first_moment + seconds{10});                     // a clock that went back
  const auto found = h.steps(first_moment + seconds{20});
  BOOST_TEST((found[56].p50 > milliseconds{1} && found[56].p50 <= std::chrono::microseconds{2500}));
  BOOST_TEST((found[56].p99 > milliseconds{50} && found[56].p99 <= milliseconds{100}));
  BOOST_TEST((found[57].p99 == latency_bounds.back()));
  BOOST_TEST((found[58].p99 <= latency_bounds.front()));
  BOOST_TEST(found[59].total == 0U);
  BOOST_TEST((found[59].p50 == duration{} && found[59].p99 == duration{}));
}

BOOST_AUTO_TEST_CASE(history_loses_nothing_between_threads) {
  request_history h;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 10000; ++i) h.add(milliseconds{1}, first_moment + milliseconds{i});
    });
  for (auto& each : threads) each.join();
  BOOST_TEST(all_of(h.steps(first_moment + seconds{10})) == 40000U);
}

BOOST_AUTO_TEST_CASE(history_is_kept_by_the_registry_while_it_counts) {
  metrics_registry m;
  m.finished(nullptr, milliseconds{1}, first_moment);
  m.enable(false);
  m.finished(nullptr, milliseconds{1}, first_moment);
  BOOST_TEST(all_of(m.history(first_moment + seconds{5})) == 1U);
}
