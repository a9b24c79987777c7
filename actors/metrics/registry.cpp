// Lock-free latency buckets and counters; readers take what is there, writers never wait.
#include "understudy/actors/metrics/registry.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace understudy {
namespace {

constexpr unsigned sub_bits = 4;  // 16 buckets a power of two
constexpr std::uint64_t sub_buckets = std::uint64_t{1} << sub_bits;

constexpr auto relaxed = std::memory_order_relaxed;

// Values below 16 ns have a bucket each; above, the leading bit picks the row and the next four the bucket in it.
std::size_t bucket_of(std::uint64_t ns) noexcept {
  if (ns < sub_buckets) {
    return static_cast<std::size_t>(ns);
  }
  const auto exponent = static_cast<unsigned>(std::bit_width(ns)) - 1;
  const auto row = exponent - sub_bits + 1;
  return static_cast<std::size_t>(row * sub_buckets + ((ns >> (exponent - sub_bits)) & (sub_buckets - 1)));
}

// The largest value that falls into `bucket`.
std::uint64_t upper_end(std::size_t bucket) noexcept {
  const auto row = static_cast<unsigned>(bucket >> sub_bits);
  const auto place = static_cast<std::uint64_t>(bucket) & (sub_buckets - 1);
  if (row == 0) {
    return place;
  }
  return ((sub_buckets + place + 1) << (row - 1)) - 1;
}

std::uint64_t nanoseconds_of(duration took) noexcept {
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(took).count();
  return ns > 0 ? static_cast<std::uint64_t>(ns) : 0;
}

duration span(std::uint64_t ns) noexcept {
  return std::chrono::duration_cast<duration>(std::chrono::nanoseconds{static_cast<std::int64_t>(ns)});
}

void raise(std::atomic<std::uint64_t>& highest, std::uint64_t value) noexcept {
  auto seen = highest.load(relaxed);
  while (seen < value && !highest.compare_exchange_weak(seen, value, relaxed)) {
  }
}

}  // namespace

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
  for (const auto& bucket : buckets_) {
    samples += bucket.load(relaxed);
  }
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

void metrics_registry::finished(errc code, duration took) noexcept {
  latency_.add(took);
  const auto i = static_cast<std::size_t>(code);
  by_error_[i < errc_count ? i : static_cast<std::size_t>(errc::internal)].fetch_add(1, relaxed);
}

void metrics_registry::recast() noexcept { recast_.fetch_add(1, relaxed); }

void metrics_registry::protocol_error() noexcept { protocol_errors_.fetch_add(1, relaxed); }

void metrics_registry::connected(duration took) noexcept { connect_.add(took); }

operation_totals metrics_registry::totals() const {
  operation_totals t;
  t.by_error.reserve(errc_count);
  for (const auto& counter : by_error_) {
    t.by_error.push_back(counter.load(relaxed));
    t.total += t.by_error.back();
  }
  t.succeeded = t.by_error[static_cast<std::size_t>(errc::none)];
  t.failed = t.total - t.succeeded;
  t.duration_total = latency_.total();
  t.p50 = latency_.percentile(0.5);
  t.p99 = latency_.percentile(0.99);
  t.p999 = latency_.percentile(0.999);
  t.max = latency_.max();
  t.recast = recast_.load(relaxed);
  return t;
}

std::uint64_t metrics_registry::protocol_errors() const noexcept { return protocol_errors_.load(relaxed); }

duration metrics_registry::average_connect() const noexcept {
  const auto n = connect_.count();
  return n == 0 ? duration::zero() : connect_.total() / static_cast<duration::rep>(n);
}

}  // namespace understudy
