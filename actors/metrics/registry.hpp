// Counters of a runtime that any thread may add to and read: outcomes, latency, redispatches, protocol errors.
#pragma once
#include "understudy/actors/metrics/request_history.hpp"
#include "understudy/messages/snapshot.hpp"

#include <array>
#include <atomic>

namespace understudy::internal {

/// Latencies in log-linear buckets: 16 a power of two, so a percentile is off by at most 1/16. Lock-free.
class latency_histogram {
 public:
  void add(duration took) noexcept;
  /// The latency that `fraction` (0 … 1) of the samples do not exceed; zero without samples.
  duration percentile(double fraction) const noexcept;
  std::uint64_t count() const noexcept;
  duration total() const noexcept;
  duration max() const noexcept;
  /// All of it by latency_bounds; `count` is never less than what any bound has.
  latency_counts counts() const;

 private:
  static constexpr std::size_t bucket_count = 16 * 48;
  std::array<std::atomic<std::uint64_t>, bucket_count> buckets_{};
  std::atomic<std::uint64_t> count_{0}, total_ns_{0}, max_ns_{0};
};

/// True when the directory is to blame: no connection could be made or one was lost, there was no answer in time, it
/// was busy or unavailable, it refused the service's own bind, or every server was known to be down. False for what the
/// caller asked for (no such object, a user's wrong password, cancelled …) and for our own limits.
bool failed_by_directory(const failure& why) noexcept;

/// How many requests ended lately, and how many of them the directory failed; in steps of five seconds. Lock-free.
class outcome_windows {
 public:
  void add(bool failed, time_point now) noexcept;
  /// Of the last `span`, at most five minutes; the step that has begun counts as whole.
  operation_window last(seconds span, time_point now) const noexcept;

 private:
  /// Each the number of its step, its requests and its failures, so that all three change at once.
  std::array<std::atomic<std::uint64_t>, ring_steps> ring_{};
};

/// What a runtime counts of requests. Each request is counted once, where its caller is told: by the runtime's client
/// (facade or gateway); so are leases and connects that failed. Connections count redispatches and protocol errors.
class metrics_registry {
 public:
  /// `pool.enable_metrics`: when false nothing is counted from now on.
  void enable(bool on) noexcept { enabled_.store(on); }
  bool enabled() const noexcept { return enabled_.load(std::memory_order_relaxed); }

  /// One request ended; `why` null: it succeeded. failed_by_directory() says which failures count against the
  /// directory.
  void finished(const failure* why, duration took, time_point now) noexcept;
  void redispatch() noexcept;
  /// A peer sent what is no LDAP, or an answer nobody asked for.
  void protocol_error() noexcept;
  /// A connection became ready after `took`.
  void connected(duration took) noexcept;

  operation_totals totals(time_point now) const;
  /// Puts everything that is counted here into `into`.
  void fill(runtime_snapshot& into, time_point now) const;
  std::uint64_t protocol_errors() const noexcept;
  /// The requests of the last five minutes, step by step.
  std::vector<request_step> history(time_point now) const { return history_.steps(now); }

 private:
  operation_window window(seconds span, time_point now) const noexcept;

  latency_histogram latency_, connect_;
  std::atomic<bool> enabled_{true};
  outcome_windows windows_;
  outcome_windows failures_;  ///< those that failed alone
  request_history history_;
  std::array<std::atomic<std::uint64_t>, errc_count> by_error_{};
  std::atomic<std::uint64_t> redispatched_{0}, protocol_errors_{0}, failed_by_directory_{0};
};

}  // namespace understudy::internal
