// How much of a span the machine kept this process waiting for a processor.
#pragma once
#include "understudy/messages/time.hpp"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace understudy::matrix {

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

/// How long the thread of this process that was kept waiting for a processor most has been so until now.
duration longest_processor_wait();

}  // namespace understudy::matrix
