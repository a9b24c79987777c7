// A thread that looks at something now and then, until told to stop.
#pragma once
#include "understudy/messages/time.hpp"

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace understudy::internal {

/// Calls a function at an interval, on a thread of its own; the destructor joins it. Thread-safe.
class periodic_thread {
 public:
  periodic_thread() = default;
  ~periodic_thread() { stop(); }
  periodic_thread(const periodic_thread&) = delete;
  periodic_thread& operator=(const periodic_thread&) = delete;

  /// The first look is after one `interval`. Replaces what was started before.
  void start(duration interval, std::function<void()> look);
  /// Returns when no look runs any more; on a callback_thread, which a look may wait for, at once.
  void stop();

 private:
  struct watcher {
    std::thread thread;
    bool done = false;
  };
  void end_all();
  void run(watcher& me, std::uint64_t generation, duration interval, const std::function<void()>& look);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t generation_ = 0;  ///< of the one that looks; the others end
  bool running_ = false;
  std::list<watcher> watchers_;
};

}  // namespace understudy::internal
