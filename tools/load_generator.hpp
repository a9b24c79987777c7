// Keeps a number of operations in flight and measures them: the heart of `bench`.
#pragma once
#include "understudy/actors/metrics/registry.hpp"
#include "understudy/runtime/directory.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace understudy::cli {

using namespace internal;

/// What a load was answered with.
struct load_report {
  std::uint64_t operations = 0;                 ///< that succeeded
  std::map<std::string, std::uint64_t> errors;  ///< by the stable name of their errc
  duration took{};
  duration p50{}, p99{}, p999{}, max{};  ///< latency of those that succeeded
};

/// Starts operation `number`; tells `done` exactly once, on any thread. Cancelled through `options`.
using load_operation = std::function<void(std::int64_t number, const call_options& options, completion done)>;

/// A closed loop: each of `concurrency` slots starts its next operation when the last one has ended, from whichever
/// thread that was told on. After a failure a slot rests for some milliseconds: a dead directory is no reason to spin.
class load_generator {
 public:
  /// Numbers go round from `first` to `last`.
  load_generator(load_operation operation, std::size_t concurrency, std::int64_t first, std::int64_t last,
                 duration timeout_each);

  /// Runs for `span` or until stop(); what is still in flight a second later is cancelled and not counted. Called once.
  load_report run(duration span);
  /// Ends run() early. Thread-safe.
  void stop();

 private:
  using clock = std::chrono::steady_clock;
  struct slot {
    cancel_source cancel;
    clock::time_point started;
  };

  void launch(slot& s);
  void finished(slot& s, const outcome& o);
  void pace(clock::time_point end);
  void drain();

  load_operation what_;
  std::int64_t first_, last_;
  duration timeout_each_;
  std::vector<std::unique_ptr<slot>> slots_;
  std::atomic<std::uint64_t> next_{0};
  std::atomic<bool> ending_{false};
  latency_histogram latency_;
  std::array<std::atomic<std::uint64_t>, errc_count> errors_{};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<slot*> resting_;
  std::size_t running_ = 0;
};

}  // namespace understudy::cli
