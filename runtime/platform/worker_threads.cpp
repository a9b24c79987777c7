// Threads for what can only block: see worker_threads.hpp.
#include "understudy/runtime/platform/worker_threads.hpp"

#include "understudy/runtime/platform/callback_thread.hpp"
#include "understudy/runtime/platform/signal_masked_thread.hpp"

#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <system_error>

namespace understudy::internal {
namespace {

// A thread that has had nothing to do for this long ends: these jobs are rare.
constexpr seconds idle_time{10};

}  // namespace

struct worker_threads::shared : std::enable_shared_from_this<shared> {
  struct worker {
    std::thread thread;
    bool done = false;
  };
  const std::size_t most_threads, most_waiting;
  std::mutex mutex;
  std::condition_variable changed, ended;
  std::deque<std::function<void()>> waiting;
  std::list<worker> workers;
  std::size_t idle = 0;
  bool stopping = false;

  shared(std::size_t t, std::size_t w) : most_threads(t), most_waiting(w) {}

  void start_one() {
    join_done();
    if (workers.size() >= most_threads) return;
    auto& w = workers.emplace_back();
    try {
      w.thread = signal_masked_thread("us.worker", [self = shared_from_this(), &w] { self->work(w); });
    } catch (const std::system_error&) {
      workers.pop_back();
    }
  }

  /// One that was left to itself, and has ended since, has nobody to be joined by.
  void join_done() {
    workers.remove_if([](worker& w) {
      if (w.done && w.thread.joinable()) w.thread.join();
      return w.done;
    });
  }

  void work(worker& me) {
    const callback_thread whole{may_wait::for_requests};
    std::unique_lock lock{mutex};
    for (;;) {
      ++idle;
      changed.wait_for(lock, idle_time, [this] { return stopping || !waiting.empty(); });
      --idle;
      if (waiting.empty()) break;
      auto job = std::move(waiting.front());
      waiting.pop_front();
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
    }
    me.done = true;
    ended.notify_all();
  }

  bool all_done() const {
    for (auto& w : workers)
      if (!w.done) return false;
    return true;
  }
};

worker_threads::worker_threads(std::size_t threads, std::size_t most_waiting)
    : shared_(std::make_shared<shared>(threads, most_waiting)) {}

worker_threads::~worker_threads() { stop(duration::zero()); }

bool worker_threads::run(std::function<void()> job) {
  std::lock_guard guard{shared_->mutex};
  auto& s = *shared_;
  if (s.stopping || s.waiting.size() >= s.most_waiting) return false;
  if (s.waiting.size() >= s.idle) s.start_one();
  if (s.workers.empty()) return false;
  s.waiting.push_back(std::move(job));
  s.changed.notify_one();
  return true;
}

bool worker_threads::stop(duration patience) {
  std::deque<std::function<void()>> dropped;
  std::unique_lock lock{shared_->mutex};
  auto& s = *shared_;
  s.stopping = true;
  dropped.swap(s.waiting);
  s.changed.notify_all();
  bool in_time = s.ended.wait_for(lock, patience, [&s] { return s.all_done(); });
  s.join_done();
  // Those that hang are left to themselves; the list's entry stays with the state that they share.
  for (auto& w : s.workers)
    if (w.thread.joinable()) w.thread.detach();
  return in_time;
}

}  // namespace understudy::internal
