// A thread that does what would hold up the one that decides.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace understudy::cli {

/// Runs jobs one after the other. The destructor waits for those that were given.
class job_thread {
 public:
  /// Throws std::system_error when the system has no thread left.
  explicit job_thread(const char* name);
  ~job_thread();
  job_thread(const job_thread&) = delete;
  job_thread& operator=(const job_thread&) = delete;

  /// `job` must not throw.
  void run(std::function<void()> job);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace understudy::cli
