// Trying out how many threads can be had.
#include "understudy/runtime/platform/thread_reserve.hpp"

#include "understudy/messages/time.hpp"
#include "understudy/runtime/platform/signal_masked_thread.hpp"

#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <vector>

namespace understudy::internal {
namespace {

// A joined thread counts until the kernel has taken it off its lists.
constexpr seconds longest_ending{1};

/// Threads that wait for each other's start.
class crowd {
 public:
  explicit crowd(std::size_t count) {
    all_.reserve(count);
    try {
      while (all_.size() < count) all_.push_back(signal_masked_thread("us.reserve", [this] { wait(); }));
    } catch (const std::system_error& e) {
      why_ = e.code().message();
    }
  }
  ~crowd() {
    {
      std::lock_guard guard{mutex_};
      over_ = true;
    }
    changed_.notify_all();
    for (auto& one : all_) one.join();
    const auto until = std::chrono::steady_clock::now() + longest_ending;
    for (const auto id : ids_)
      while (counts(id) && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  }
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;

  std::size_t size() const { return all_.size(); }
  const std::string& why() const { return why_; }

 private:
  void wait() {
    std::unique_lock lock{mutex_};
    ids_.push_back(::gettid());
    changed_.wait(lock, [this] { return over_; });
  }
  static bool counts(pid_t id) {
    std::error_code ignored;
    return std::filesystem::exists("/proc/self/task/" + std::to_string(id), ignored);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::vector<std::thread> all_;
  std::vector<pid_t> ids_;
  std::string why_;
};

}  // namespace

failure_ptr refused_threads(std::size_t count) {
  const crowd trial{count};
  if (trial.size() == count) return nullptr;
  return make_failure(errc::local_resources, stage::queue,
                      "The system starts " + std::to_string(trial.size()) + " of " + std::to_string(count) +
                          " threads that are needed here (" + trial.why() +
                          "): see ulimit -u, TasksMax of the service's unit and pids.max of its control group");
}

}  // namespace understudy::internal
