// Latency buckets stay within their stated error, counters add up, also from several threads.
#include "understudy/actors/metrics/registry.hpp"

#include <boost/test/unit_test.hpp>
#include <thread>

using namespace understudy;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

namespace {

double off_by(duration found, duration exact) {
  return std::abs(static_cast<double>((found - exact).count())) / static_cast<double>(exact.count());
}

}  // namespace

BOOST_AUTO_TEST_CASE(percentile_without_samples_is_zero) {
  const latency_histogram h;
  BOOST_TEST(h.percentile(0.5).count() == 0);
  BOOST_TEST(h.count() == 0U);
  BOOST_TEST(h.max().count() == 0);
}

BOOST_AUTO_TEST_CASE(percentiles_are_off_by_a_sixteenth_at_most) {
  latency_histogram h;
  for (int i = 1; i <= 10000; ++i) {
    h.add(microseconds{i});
  }
  for (const double fraction : {0.01, 0.1, 0.5, 0.9, 0.99, 0.999}) {
    const auto exact = microseconds{static_cast<int>(fraction * 10000)};
    BOOST_TEST(off_by(h.percentile(fraction), exact) <= 1.0 / 16);
    BOOST_TEST((h.percentile(fraction) >= exact));
  }
  BOOST_TEST((h.percentile(1) == microseconds{10000}));
  BOOST_TEST((h.max() == microseconds{10000}));
  BOOST_TEST(h.count() == 10000U);
  BOOST_TEST((h.total() == microseconds{50005000}));
}

BOOST_AUTO_TEST_CASE(small_latencies_are_exact) {
  for (int ns = 1; ns < 32; ++ns) {
    latency_histogram h;
    h.add(nanoseconds{ns});
    h.add(std::chrono::hours{1});
    BOOST_TEST(h.percentile(0.5).count() == nanoseconds{ns}.count());
  }
}

BOOST_AUTO_TEST_CASE(buckets_are_ordered_over_the_whole_range) {
  duration last{};
  for (std::int64_t ns = 1; ns > 0 && ns < (std::int64_t{1} << 52); ns += ns / 7 + 1) {
    latency_histogram h;
    h.add(nanoseconds{ns});
    h.add(std::chrono::hours{24 * 365});
    const auto found = h.percentile(0.5);
    BOOST_TEST((found >= last));
    if (ns < (std::int64_t{1} << 50)) {
      BOOST_TEST(off_by(found, nanoseconds{ns}) <= 1.0 / 16);
    }
    last = found;
  }
}

BOOST_AUTO_TEST_CASE(odd_latencies_do_no_harm) {
  latency_histogram h;
  h.add(nanoseconds{-5});
  h.add(duration::max());
  BOOST_TEST(h.count() == 2U);
  BOOST_TEST(h.percentile(0).count() == 0);
  BOOST_TEST((h.percentile(1) == duration::max()));
}

BOOST_AUTO_TEST_CASE(totals_split_into_success_and_errors) {
  metrics_registry m;
  m.finished(errc::none, microseconds{100});
  m.finished(errc::none, microseconds{300});
  m.finished(errc::operation_timeout, microseconds{500});
  m.recast();
  m.protocol_error();
  const auto t = m.totals();
  BOOST_TEST(t.total == 3U);
  BOOST_TEST(t.succeeded == 2U);
  BOOST_TEST(t.failed == 1U);
  BOOST_TEST(t.by_error.size() == errc_count);
  BOOST_TEST(t.by_error[static_cast<std::size_t>(errc::operation_timeout)] == 1U);
  BOOST_TEST((t.duration_total == microseconds{900}));
  BOOST_TEST((t.max == microseconds{500}));
  BOOST_TEST(t.recast == 1U);
  BOOST_TEST(m.protocol_errors() == 1U);
}

BOOST_AUTO_TEST_CASE(average_connect_is_the_mean) {
  metrics_registry m;
  BOOST_TEST(m.average_connect().count() == 0);
  m.connected(milliseconds{10});
  m.connected(milliseconds{30});
  BOOST_TEST((m.average_connect() == milliseconds{20}));
}

BOOST_AUTO_TEST_CASE(nothing_is_lost_between_threads) {
  metrics_registry m;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&m] {
      for (int i = 0; i < 10000; ++i) {
        m.finished(i % 2 == 0 ? errc::none : errc::cancelled, microseconds{i});
      }
    });
  }
  for (auto& t : threads) {
    t.join();
  }
  const auto totals = m.totals();
  BOOST_TEST(totals.total == 40000U);
  BOOST_TEST(totals.succeeded == 20000U);
  BOOST_TEST((totals.max == microseconds{9999}));
}
