// Latency buckets stay within their stated error, counters add up, also from several threads.
#include "understudy/actors/metrics/registry.hpp"

#include <boost/test/unit_test.hpp>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

namespace {

const time_point start = time_point{} + std::chrono::hours{1};

failure failing(errc code, stage where = stage::operation, int ldap_code = 0) {
  failure f;
  f.code = code;
  f.where = where;
  f.ldap_code = ldap_code;
  return f;
}

double off_by(duration found, duration exact) {
  return std::abs(static_cast<double>((found - exact).count())) / static_cast<double>(exact.count());
}

latency_counts connects_of(const metrics_registry& metrics) {
  runtime_snapshot all;
  metrics.fill(all, start);
  return all.connects;
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

BOOST_AUTO_TEST_CASE(times_are_counted_by_bounds_which_miss_a_sixteenth_at_most) {
  latency_histogram h;
  for (std::size_t i = 0; i < latency_bounds.size(); ++i) {
    h.add(latency_bounds[i] * 15 / 16);
    h.add(latency_bounds[i] + nanoseconds{1});
  }
  const auto found = h.counts();
  BOOST_TEST_REQUIRE(found.at_most.size() == latency_bounds.size());
  for (std::size_t i = 0; i < latency_bounds.size(); ++i) {
    BOOST_TEST(found.at_most[i] == 2 * i + 1);
  }
  BOOST_TEST(found.count == 2 * latency_bounds.size());
  BOOST_TEST((found.total == h.total()));
  BOOST_TEST(latency_histogram{}.counts().count == 0U);
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
  const auto late = failing(errc::operation_timeout);
  m.finished(nullptr, microseconds{100}, start);
  m.finished(nullptr, microseconds{300}, start);
  m.finished(&late, microseconds{500}, start);
  m.redispatch();
  m.protocol_error();
  const auto t = m.totals(start);
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

BOOST_AUTO_TEST_CASE(a_snapshot_has_all_that_is_counted) {
  metrics_registry m;
  m.finished(nullptr, microseconds{100}, start);
  m.protocol_error();
  runtime_snapshot all;
  m.fill(all, start);
  BOOST_TEST(all.operations.total == 1U);
  BOOST_TEST(all.operations.last_minute.total == 1U);
  BOOST_TEST(all.protocol_errors == 1U);
}

BOOST_AUTO_TEST_CASE(a_snapshot_has_the_connects_and_the_time_that_they_took) {
  metrics_registry m;
  BOOST_TEST(connects_of(m).count == 0U);
  m.connected(milliseconds{10});
  m.connected(milliseconds{30});
  BOOST_TEST(connects_of(m).count == 2U);
  BOOST_TEST((connects_of(m).total == milliseconds{40}));
}

BOOST_AUTO_TEST_CASE(nothing_is_lost_between_threads) {
  metrics_registry m;
  const auto given_up = failing(errc::cancelled), late = failing(errc::operation_timeout);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10000; ++i) {
        m.finished(i % 2 == 0 ? nullptr : i % 4 == 1 ? &given_up : &late, microseconds{i}, start + milliseconds{i});
      }
    });
  }
  for (auto& t : threads) {
    t.join();
  }
  const auto totals = m.totals(start + seconds{10});
  BOOST_TEST(totals.total == 40000U);
  BOOST_TEST(totals.succeeded == 20000U);
  BOOST_TEST(totals.failed_by_directory == 10000U);
  BOOST_TEST(totals.last_minute.total == 40000U);
  BOOST_TEST(totals.last_minute.failed_by_directory == 10000U);
  BOOST_TEST((totals.max == microseconds{9999}));
}

BOOST_AUTO_TEST_CASE(what_counts_against_the_directory) {
  const auto waited = [](std::uint32_t open, errc cause) {
    auto f = failing(errc::pool_timeout, stage::queue);
    f.pool = pool_counts{};
    f.pool->in_use = open;
    f.cause_code = cause;
    return f;
  };
  const struct {
    failure why;
    bool counts;
    const char* what;
  } rows[] = {
      {failing(errc::connection_failed, stage::connect), true, "no connection could be made"},
      {failing(errc::connection_timeout, stage::connect), true, "connects are not answered"},
      {failing(errc::connection_timeout, stage::queue), false, "our own queue of connects"},
      {failing(errc::ssl_error, stage::secure), true, "TLS failed"},
      {failing(errc::connection_unhealthy), true, "a connection was lost"},
      {failing(errc::outcome_unknown), true, "a connection was lost under a write"},
      {failing(errc::operation_timeout), true, "no answer in time"},
      {failing(errc::breaker_open, stage::queue), true, "every server was known to be down"},
      {failing(errc::ldap_error, stage::operation, 51), true, "busy"},
      {failing(errc::ldap_error, stage::operation, 52), true, "unavailable"},
      {failing(errc::service_authentication_failed, stage::bind, 49), true, "the service's own bind was refused"},
      {waited(0, errc::connection_failed), true, "waited for a connection that could not be made"},
      {waited(0, errc::none), true, "waited for a connection that nobody answered"},
      {waited(0, errc::local_resources), false, "no descriptor of ours was left"},
      {waited(3, errc::connection_failed), false, "all connections were taken"},
      {failing(errc::authentication_failed, stage::bind, 49), false, "a user's wrong password"},
      {failing(errc::ldap_error, stage::operation, 32), false, "no such object"},
      {failing(errc::operation_timeout, stage::queue), false, "the caller's deadline was over before"},
      {failing(errc::no_server, stage::queue), false, "taken out by hand"},
      {failing(errc::local_resources, stage::connect), false, "no descriptor of ours was left"},
      {failing(errc::queue_full, stage::queue), false, "max_waiters"},
      {failing(errc::pool_exhausted, stage::queue), false, "all are taken and the caller does not wait"},
      {failing(errc::cancelled), false, "cancelled"},
      {failing(errc::invalid_request, stage::queue), false, "malformed"},
      {failing(errc::result_too_large), false, "max_result_bytes"},
      {failing(errc::draining, stage::queue), false, "stopping"},
      {failing(errc::stopped, stage::queue), false, "not running"},
  };
  for (const auto& row : rows) BOOST_TEST(failed_by_directory(row.why) == row.counts, row.what);
}

BOOST_AUTO_TEST_CASE(a_window_counts_as_the_totals_do) {
  metrics_registry m;
  const auto late = failing(errc::operation_timeout), no_such = failing(errc::ldap_error, stage::operation, 32),
             cancelled = failing(errc::cancelled);
  for (int i = 0; i < 7; ++i) m.finished(nullptr, milliseconds{1}, start);
  for (const auto* why : {&late, &late, &no_such, &cancelled}) m.finished(why, milliseconds{1}, start + seconds{7});
  const auto all = m.totals(start + seconds{9});
  for (const auto& span : {all.last_minute, all.last_five_minutes}) {
    BOOST_TEST(span.total == all.total);
    BOOST_TEST(span.failed == all.failed);
    BOOST_TEST(span.failed_by_directory == all.failed_by_directory);
  }
  BOOST_TEST(all.last_minute.failed == 4U);
  BOOST_TEST(all.last_minute.failed_by_directory == 2U);
}

BOOST_AUTO_TEST_CASE(windows_forget_what_is_older) {
  metrics_registry m;
  const auto late = failing(errc::operation_timeout);
  auto now = start;
  for (int i = 0; i < 10; ++i) m.finished(&late, milliseconds{1}, now);
  now += seconds{61};
  for (int i = 0; i < 30; ++i) m.finished(nullptr, milliseconds{1}, now);
  auto t = m.totals(now);
  BOOST_TEST(t.last_minute.total == 30U);
  BOOST_TEST(t.last_minute.failed_by_directory == 0U);
  BOOST_TEST(t.last_five_minutes.total == 40U);
  BOOST_TEST(t.last_five_minutes.failed_by_directory == 10U);
  now += seconds{240};
  t = m.totals(now);
  BOOST_TEST(t.last_minute.total == 0U);
  BOOST_TEST(t.last_five_minutes.total == 30U);
  BOOST_TEST(t.last_five_minutes.failed_by_directory == 0U);
  BOOST_TEST(t.last_five_minutes.failed == 0U);
  BOOST_TEST(t.total == 40U);
  BOOST_TEST(t.failed_by_directory == 10U);
  // All steps have been overtaken since: each place still holds what is as old as the ring is long.
  now = start + seconds{61} + seconds{320};
  BOOST_TEST(m.totals(now).last_five_minutes.total == 0U);
  m.finished(nullptr, milliseconds{1}, now);
  BOOST_TEST(m.totals(now).last_minute.total == 1U);
  BOOST_TEST(m.totals(now).last_five_minutes.total == 1U);
}

BOOST_AUTO_TEST_CASE(a_window_holds_at_least_its_span_less_a_step) {
  for (int at = 0; at < 10; ++at) {
    outcome_windows w;
    const auto begun = start + seconds{at};
    w.add(true, begun);
    BOOST_TEST(w.last(seconds{60}, begun + seconds{54}).total == 1U);
    BOOST_TEST(w.last(seconds{60}, begun + seconds{60}).total == 0U);
  }
}

BOOST_AUTO_TEST_CASE(a_window_that_overflows_keeps_its_rate_between_none_and_all) {
  outcome_windows w;
  for (int i = 0; i < (1 << 22) + 10; ++i) w.add(true, start);
  const auto seen = w.last(seconds{60}, start);
  BOOST_TEST(seen.total == (1U << 22) - 1);
  BOOST_TEST(seen.failed_by_directory == seen.total);
}

BOOST_AUTO_TEST_CASE(nothing_is_counted_while_it_is_off) {
  metrics_registry m;
  const auto late = failing(errc::operation_timeout);
  m.enable(false);
  m.finished(&late, milliseconds{1}, start);
  m.connected(milliseconds{1});
  m.redispatch();
  m.protocol_error();
  auto t = m.totals(start);
  BOOST_TEST(t.total == 0U);
  BOOST_TEST(t.last_minute.total == 0U);
  BOOST_TEST(t.recast == 0U);
  BOOST_TEST(t.max.count() == 0);
  BOOST_TEST(m.protocol_errors() == 0U);
  BOOST_TEST(connects_of(m).count == 0U);
  m.enable(true);
  m.finished(&late, milliseconds{1}, start);
  BOOST_TEST(m.totals(start).failed == 1U);
}
