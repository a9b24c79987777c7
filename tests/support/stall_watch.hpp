// How much of a span the machine kept this process waiting for a processor.
#pragma once
#include "understudy/messages/time.hpp"

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <map>
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

/// How long each thread of this process is kept waiting for a processor, by the kernel's account: also those waits that
/// the thread of a stall_watch was spared.
class processor_waits {
 public:
  /// Of the thread that was kept waiting most since this was made.
  duration longest() const;

 private:
  std::map<pid_t, std::int64_t> before_ = now();  ///< nanoseconds of each thread
  static std::map<pid_t, std::int64_t> now();
};

/// How long something takes on this process' account: what the machine kept it waiting for a processor does not count.
class stopwatch {
 public:
  /// Time counts from now on. Waits count from when this was made: a server that seemed slow while the machine was is
  /// given more time to answer, for a while.
  void restart() { began_ = std::chrono::steady_clock::now(); }
  duration elapsed() const;

 private:
  const time_point made_ = std::chrono::steady_clock::now();
  time_point began_ = made_;
  stall_watch stalls_;
  processor_waits waits_;
};

/// How long the thread of a process that was kept waiting for a processor most has been so until now: of this one, or
/// of another, which has none any more when it has ended.
duration longest_processor_wait();
duration longest_processor_wait(pid_t process);

}  // namespace understudy::test
