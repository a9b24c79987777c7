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

/// How long each thread of a process is kept waiting for a processor, by the kernel's account: also those waits that
/// the thread of a stall_watch was spared.
class processor_waits {
 public:
  processor_waits();  ///< of this process
  explicit processor_waits(pid_t process);
  /// Of the thread that was kept waiting most since this was made.
  duration longest() const;

 private:
  pid_t process_;
  std::map<pid_t, std::int64_t> before_;  ///< nanoseconds of each thread
};

/// How long something takes on this process' account, so that a limit of time does not depend on how fast the machine
/// is. What counts as a wait for a processor is either how late a thread of our own woke, or what the one thread that
/// was kept waiting most was, whichever is longer; never the sum over threads, which wait at the same time. A thread
/// that nothing here depends on counts too, as that cannot be told from outside. Waits count from the last call of
/// learn(), or from when this was made.
class stopwatch {
 public:
  /// What the machine did before says nothing any more: to be called before a server is asked often enough to be
  /// believed as fast as it is now (await_usual_pace()). While it answers that, waits still count, since it is given as
  /// much more time afterwards.
  void learn();
  /// Time counts from now on.
  void restart() { began_ = std::chrono::steady_clock::now(); }
  duration elapsed() const;

 private:
  time_point began_ = std::chrono::steady_clock::now(), learns_from_ = began_;
  stall_watch stalls_;
  processor_waits waits_;
};

/// How long the thread of a process that was kept waiting for a processor most has been so until now: of this one, or
/// of another, which has none any more when it has ended.
duration longest_processor_wait();
duration longest_processor_wait(pid_t process);

}  // namespace understudy::test
