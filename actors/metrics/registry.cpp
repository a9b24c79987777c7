// Lock-free latency buckets and counters; readers take what is there, writers never wait.
#include "understudy/actors/metrics/registry.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace understudy::internal {
namespace {

constexpr unsigned sub_bits = 4;  // 16 buckets a power of two
constexpr std::uint64_t sub_buckets = std::uint64_t{1} << sub_bits;

constexpr auto relaxed = std::memory_order_relaxed;

// Values below 16 ns have a bucket each; above, the leading bit picks the row and the next four the bucket in it.
std::size_t bucket_of(std::uint64_t ns) noexcept {
  if (ns < sub_buckets) return static_cast<std::size_t>(ns);
  const auto exponent = static_cast<unsigned>(std::bit_width(ns)) - 1;
  const auto row = exponent - sub_bits + 1;
  return static_cast<std::size_t>(row * sub_buckets + ((ns >> (exponent - sub_bits)) & (sub_buckets - 1)));
}

// The largest value that falls into `bucket`.
std::uint64_t upper_end(std::size_t bucket) noexcept {
  const auto row = static_cast<unsigned>(bucket >> sub_bits);
  const auto place = static_cast<std::uint64_t>(bucket) & (sub_buckets - 1);
  if (row == 0) return place;
  return ((sub_buckets + place + 1) << (row - 1)) - 1;
}

std::uint64_t nanoseconds_of(duration took) noexcept {
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(took).count();
  return ns > 0 ? static_cast<std::uint64_t>(ns) : 0;
}

duration span(std::uint64_t ns) noexcept {
  return std::chrono::duration_cast<duration>(std::chrono::nanoseconds{static_cast<std::int64_t>(ns)});
}

/// A step of outcome_windows in one word: 20 bits of its number, 22 each of requests and failures, which stop at their
/// limit.
constexpr unsigned count_bits = (64 - step_number_bits) / 2;
constexpr std::uint64_t most_counted = (std::uint64_t{1} << count_bits) - 1;

struct step_counts {
  std::uint64_t number = 0, total = 0, failed = 0;

  explicit step_counts(std::uint64_t word) noexcept
      : number(word >> (2 * count_bits)), total((word >> count_bits) & most_counted), failed(word & most_counted) {}
  std::uint64_t word() const noexcept {
    return (number << (2 * count_bits)) | (std::min(total, most_counted) << count_bits) |
           std::min(failed, most_counted);
  }
};

void raise(std::atomic<std::uint64_t>& highest, std::uint64_t value) noexcept {
  auto seen = highest.load(relaxed);
  while (seen < value && !highest.compare_exchange_weak(seen, value, relaxed)) {
  }
}

bool speaks_against_directory(failure_class kind) noexcept {
  return kind == failure_class::credential || counts_against_server(kind);
}

/// Whether who waited in vain did so because the server gave no connection, and not because all were taken.
bool had_no_connection(const failure& why) noexcept {
  if (!why.pool || why.pool->idle + why.pool->in_use > 0) return false;
  return why.cause_code == errc::none || speaks_against_directory(classify(stage::connect, why.cause_code, 0));
}

}  // namespace

bool failed_by_directory(const failure& why) noexcept {
  if (why.code == errc::breaker_open) return true;
  const bool waited =
      why.code == errc::pool_timeout || (why.code == errc::operation_timeout && why.where != stage::operation);
  if (waited) return had_no_connection(why);
  return speaks_against_directory(classify(why, why.code == errc::authentication_failed));
}

void latency_histogram::add(duration took) noexcept {
  const auto ns = nanoseconds_of(took);
  buckets_[std::min(bucket_of(ns), bucket_count - 1)].fetch_add(1, relaxed);
  count_.fetch_add(1, relaxed);
  total_ns_.fetch_add(ns, relaxed);
  raise(max_ns_, ns);
}

duration latency_histogram::percentile(double fraction) const noexcept {
  // Counted afresh: count_ may be ahead of or behind the buckets while others add.
  std::uint64_t samples = 0;
  for (const auto& bucket : buckets_) samples += bucket.load(relaxed);
  const auto wanted = std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(samples));
  const auto rank = std::max(std::uint64_t{1}, static_cast<std::uint64_t>(wanted));
  std::uint64_t passed = 0;
  for (std::size_t i = 0; i < bucket_count; ++i) {
    passed += buckets_[i].load(relaxed);
    if (passed >= rank) {
      // What is beyond the range sits in the last bucket.
      const auto highest = max_ns_.load(relaxed);
      return span(i + 1 == bucket_count ? highest : std::min(upper_end(i), highest));
    }
  }
  return duration::zero();
}

std::uint64_t latency_histogram::count() const noexcept { return count_.load(relaxed); }

duration latency_histogram::total() const noexcept { return span(total_ns_.load(relaxed)); }

duration latency_histogram::max() const noexcept { return span(max_ns_.load(relaxed)); }

latency_counts latency_histogram::counts() const {
  latency_counts found;
  found.at_most.reserve(latency_bounds.size());
  std::size_t i = 0;
  for (const auto bound : latency_bounds) {
    for (; i < bucket_count && upper_end(i) <= nanoseconds_of(bound); ++i) found.count += buckets_[i].load(relaxed);
    found.at_most.push_back(found.count);
  }
  // Counted afresh, as the percentiles are.
  for (; i < bucket_count; ++i) found.count += buckets_[i].load(relaxed);
  found.total = total();
  return found;
}

void outcome_windows::add(bool failed, time_point now) noexcept {
  const auto number = step_of(now) & step_number_mask;
  auto& place = ring_[number % ring_steps];
  auto seen = place.load(relaxed);
  for (;;) {
    step_counts next{seen};
    if (next.number != number) next = step_counts{number << (2 * count_bits)};
    ++next.total;
    next.failed += failed ? 1 : 0;
    if (place.compare_exchange_weak(seen, next.word(), relaxed)) return;
  }
}

operation_window outcome_windows::last(seconds span, time_point now) const noexcept {
  const auto count = std::min<std::uint64_t>(static_cast<std::uint64_t>(span / step_length), ring_steps - 1);
  operation_window found;
  for (std::uint64_t back = 0; back < count; ++back) {
    const auto number = (step_of(now) - back) & step_number_mask;
    const step_counts step{ring_[number % ring_steps].load(relaxed)};
    if (step.number != number) continue;
    found.total += step.total;
    found.failed_by_directory += step.failed;
  }
  return found;
}

void metrics_registry::finished(const failure* why, duration took, time_point now) noexcept {
  if (!enabled()) return;
  latency_.add(took);
  const auto code = why ? why->code : errc::none;
  const bool failed = why && failed_by_directory(*why);
  if (failed) failed_by_directory_.fetch_add(1, relaxed);
  history_.add(took, now);
  windows_.add(failed, now);
  if (why) failures_.add(failed, now);
  const auto i = static_cast<std::size_t>(code);
  by_error_[i < errc_count ? i : static_cast<std::size_t>(errc::internal)].fetch_add(1, relaxed);
}

operation_window metrics_registry::window(seconds span, time_point now) const noexcept {
  auto found = windows_.last(span, now);
  found.failed = failures_.last(span, now).total;
  return found;
}

void metrics_registry::redispatch() noexcept {
  if (enabled()) redispatched_.fetch_add(1, relaxed);
}

void metrics_registry::protocol_error() noexcept {
  if (enabled()) protocol_errors_.fetch_add(1, relaxed);
}

void metrics_registry::connected(duration took) noexcept {
  if (enabled()) connect_.add(took);
}

operation_totals metrics_registry::totals(time_point now) const {
  operation_totals t;
  t.by_error.reserve(errc_count);
  for (const auto& counter : by_error_) {
    t.by_error.push_back(counter.load(relaxed));
    t.total += t.by_error.back();
  }
  t.succeeded = t.by_error[static_cast<std::size_t>(errc::none)];
  t.failed = t.total - t.succeeded;
  t.failed_by_directory = failed_by_directory_.load(relaxed);
  t.last_minute = window(seconds{60}, now);
  t.last_five_minutes = window(seconds{300}, now);
  t.duration_total = latency_.total();
  t.p50 = latency_.percentile(0.5);
  t.p99 = latency_.percentile(0.99);
  t.p999 = latency_.percentile(0.999);
  t.max = latency_.max();
  t.recast = redispatched_.load(relaxed);
  t.latency = latency_.counts();
  return t;
}

void metrics_registry::fill(runtime_snapshot& into, time_point now) const {
  into.operations = totals(now);
  into.protocol_errors = protocol_errors();
  into.connects = connect_.counts();
}

std::uint64_t metrics_registry::protocol_errors() const noexcept { return protocol_errors_.load(relaxed); }

}  // namespace understudy::internal
