// Where the entries of a streaming search wait for the thread that reads them.
#pragma once
#include "understudy/messages/time.hpp"
#include "understudy/runtime/directory.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>

namespace understudy::internal {

/// At most a window of entries: what each one read, and each reference, cost is to be granted again, half a window at a
/// time. Knows nothing of actors. Thread-safe.
class stream_buffer {
 public:
  using granting = std::function<void(std::uint32_t)>;
  static constexpr std::uint32_t largest_window = 65536;

  /// `window`: 1 to largest_window; that many credits are granted from the beginning. `most_reference_bytes`: of
  /// references kept for the summary.
  stream_buffer(std::uint32_t window, std::size_t most_reference_bytes)
      : window_(window), most_reference_bytes_(most_reference_bytes) {}

  std::uint32_t window() const noexcept { return window_; }
  /// How to grant credits. Called with the lock held: it must not come back here.
  void begin(granting grant);
  /// A batch arrived. Why it cannot be kept, or null; ignored after the end.
  failure_ptr add(search_batch part, time_point now);
  /// The search ended. Only the first time counts; what arrived before can still be read.
  void end(outcome answer);
  /// As end(), and what arrived is dropped.
  void abort(failure_ptr why);

  /// The next entry, waiting for at most `patience`.
  std::optional<entry> take(duration patience);
  /// True when it ended and everything was read.
  bool finished() const;
  /// Of a finished one: why it failed, or null.
  failure_ptr error() const;
  /// Of a finished one that did not fail; it does not change any more.
  const result& summary() const { return summary_; }
  /// When the first batch came.
  std::optional<time_point> first_heard() const;

 private:
  failure_ptr keep_references(search_batch& part);
  void grant();
  void finish(outcome answer, bool drop);

  const std::uint32_t window_;
  const std::size_t most_reference_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  struct waiting {
    entry what;
    std::uint32_t credits;
  };
  std::deque<waiting> entries_;
  std::uint64_t added_ = 0;    ///< entries so far
  std::uint32_t used_up_ = 0;  ///< credits to be granted again
  std::size_t reference_bytes_ = 0;
  result summary_;
  failure_ptr error_;
  bool ended_ = false;
  granting grant_;
  std::optional<time_point> first_heard_;
};

}  // namespace understudy::internal
