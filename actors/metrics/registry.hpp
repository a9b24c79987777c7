// Counters of a runtime that any thread may add to and read: outcomes, latency, re-casts, protocol errors.
#pragma once
#include "understudy/messages/snapshot.hpp"

#include <array>
#include <atomic>

namespace understudy {

/// Latencies in log-linear buckets: 16 a power of two, so a percentile is off by at most 1/16. Lock-free.
class latency_histogram {
 public:
  void add(duration took) noexcept;
  /// The latency that `fraction` (0 … 1) of the samples do not exceed; zero without samples.
  duration percentile(double fraction) const noexcept;
  std::uint64_t count() const noexcept;
  duration total() const noexcept;
  duration max() const noexcept;

 private:
  static constexpr std::size_t bucket_count = 16 * 48;
  std::array<std::atomic<std::uint64_t>, bucket_count> buckets_{};
  std::atomic<std::uint64_t> count_{0}, total_ns_{0}, max_ns_{0};
};

/// What a runtime counts of requests. Each request is counted once, where its caller is told: by the runtime's client
/// (facade or gateway). Connections count re-casts and protocol errors.
class metrics_registry {
 public:
  /// One request ended with `code` (none: success; a directory's own error counts as failed unless it is a compare).
  void finished(errc code, duration took) noexcept;
  void recast() noexcept;
  /// A peer sent what is no LDAP, or an answer nobody asked for.
  void protocol_error() noexcept;
  /// A connection became ready after `took`.
  void connected(duration took) noexcept;

  operation_totals totals() const;
  std::uint64_t protocol_errors() const noexcept;
  /// Average time to a ready connection; zero when none was made yet.
  duration average_connect() const noexcept;

 private:
  latency_histogram latency_, connect_;
  std::array<std::atomic<std::uint64_t>, errc_count> by_error_{};
  std::atomic<std::uint64_t> recast_{0}, protocol_errors_{0};
};

}  // namespace understudy
