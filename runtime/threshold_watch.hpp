// A thread that looks at something now and then, until told to stop.
#pragma once
#include "understudy/messages/time.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace understudy {

/// Calls a function at an interval, on a thread of its own; the destructor joins it. Thread-safe.
class threshold_watch {
 public:
  threshold_watch() = default;
  ~threshold_watch() { stop(); }
  threshold_watch(const threshold_watch&) = delete;
  threshold_watch& operator=(const threshold_watch&) = delete;

  /// The first look is after one `interval`. Replaces what was started before.
  void start(duration interval, std::function<void()> look);
  /// Returns when no look runs any more.
  void stop();
  bool running() const;

 private:
  void join();
  void run(duration interval, const std::function<void()>& look);

  std::mutex lifecycle_;  ///< one start or stop at a time
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace understudy
