// Runs jobs one after the other: see job_thread.hpp.
#include "understudy/tools/job_thread.hpp"

#include "understudy/runtime/platform/signal_masked_thread.hpp"

namespace understudy::cli {

job_thread::job_thread(const char* name) : thread_(internal::signal_masked_thread(name, [this] { work(); })) {}

job_thread::~job_thread() {
  {
    const std::lock_guard guard{mutex_};
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void job_thread::run(std::function<void()> job) {
  {
    const std::lock_guard guard{mutex_};
    waiting_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void job_thread::work() {
  std::unique_lock lock{mutex_};
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const auto job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

}  // namespace understudy::cli
