// How much of a span the machine kept this process waiting for a processor.
#pragma once
#include "understudy/messages/time.hpp"

#include <sys/types.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace understudy::test {

/// A thread that sleeps for a moment again and again and notes how late it woke. On a machine with enough processors
/// that is never; on a loaded one every thread of the process waits as this one does, so the sum over a span is what a
/// limit of time there has to allow for. The limit itself stays what it is.
class stall_watch {
 public:
  stall_watch();
  ~stall_watch();
  stall_watch(const stall_watch&) = delete;
  stall_watch& operator=(const stall_watch&) = delete;

  /// The sum of what it was late between `from` and `to`.
  duration stalled(time_point from, time_point to) const;
  duration total() const { return stalled(time_point::min(), time_point::max()); }

 private:
  struct stall {
    time_point due, woke;
  };
  void watch();

  std::atomic<bool> over_{false};
  mutable std::mutex guard_;
  std::vector<stall> stalls_;
  std::thread thread_;
};

/// How long something takes on this process' account: what the machine kept it waiting for a processor does not count.
class stopwatch {
 public:
  duration elapsed() const;

 private:
  time_point began_ = std::chrono::steady_clock::now();
  stall_watch stalls_;
};

/// How long the thread of a process that was kept waiting for a processor most has been so until now: of this one, or
/// of another, which has none any more when it has ended.
duration longest_processor_wait();
duration longest_processor_wait(pid_t process);

}  // namespace understudy::test
