// Turns of poller actors: see poller_scheduler.hpp.
#include "understudy/runtime/platform/poller_scheduler.hpp"

#include "understudy/runtime/platform/caf_thread_scope.hpp"

#include <caf/actor_system.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <chrono>
#include <utility>

namespace understudy::internal {
namespace {

// Turns of actors, each after the other, before sockets are looked at again.
constexpr int turns_between_polls = 16;
// Messages that one actor may take in a turn while others wait.
constexpr std::size_t messages_a_turn = 512;
// When turns take longer than this together, what still waits is worth another thread (TLS handshakes, large results).
constexpr std::chrono::microseconds patience{1000};

// The queue whose actors this thread runs, and the one that it will run when it has sent something.
thread_local const poller_scheduler* runs = nullptr;
thread_local const poller_scheduler* about_to_run = nullptr;
thread_local bool caller_runs = false;

/// Sets a mark of this thread for a while.
class mark {
 public:
  mark(const poller_scheduler*& which, const poller_scheduler* queue)
      : which_(which), before_(std::exchange(which, queue)) {}
  ~mark() { which_ = before_; }
  mark(const mark&) = delete;
  mark& operator=(const mark&) = delete;

 private:
  const poller_scheduler*& which_;
  const poller_scheduler* before_;
};

}  // namespace

poller_scheduler::poller_scheduler(caf::actor_system& system, std::function<void()> wake)
    : caf::execution_unit(&system), wake_(std::move(wake)), context_(system) {}

void poller_scheduler::exec_later(caf::resumable* job) {
  if (runs == this) return due_.push_back(job);
  bool closed = false;
  {
    std::lock_guard guard{mutex_};
    closed = closed_;
    if (!closed) arrived_.push_back(job);
  }
  if (closed) return hand_to_scheduler(job);
  has_arrived_.store(true);
  // Both sides write their flag before they read the other's: one of them sees it.
  if (about_to_run != this) wake_if_asleep();
}

void poller_scheduler::wake_if_asleep() {
  if (sleeping_.load() && sleeping_.exchange(false)) wake_();
}

bool poller_scheduler::on_caller_thread() noexcept { return caller_runs; }

std::size_t poller_scheduler::posted() const {
  std::lock_guard guard{mutex_};
  return jobs_.size();
}

bool poller_scheduler::post(const std::function<void()>& job) {
  {
    std::lock_guard guard{mutex_};
    if (closed_) return false;
    jobs_.push_back(job);
  }
  has_jobs_.store(true);
  wake_if_asleep();
  return true;
}

void poller_scheduler::run_jobs() {
  if (!has_jobs_.exchange(false)) return;
  std::vector<std::function<void()>> due;
  {
    std::lock_guard guard{mutex_};
    due.swap(jobs_);
  }
  for (auto& job : due) job();
}

void poller_scheduler::run_inline(const std::function<void()>& send) {
  if (runs == this) return send();
  {
    mark quiet{about_to_run, this};
    send();
  }
  const caf_thread_scope meanwhile;
  // The thread that runs them looks once more after it has released the lock: what is sent while it is held is not
  // left.
  bool more = true;
  while (more && has_arrived_.load() && sleeping_.load()) {
    std::unique_lock turn{runner_, std::try_to_lock};
    if (!turn) return;
    const bool before = std::exchange(caller_runs, true);
    more = !run_turns();
    caller_runs = before;
  }
  if (!more && sleeping_.exchange(false)) wake_();
}

bool poller_scheduler::run() {
  bool more = false;
  {
    std::lock_guard turn{runner_};
    more = run_turns();
  }
  run_jobs();
  return more;
}

/// True when something is left.
bool poller_scheduler::run_turns() {
  mark here{runs, this};
  for (int i = 0; i < turns_between_polls; ++i) {
    run_turn();
    if (due_.empty() && !has_arrived_.load()) return false;
  }
  return true;
}

void poller_scheduler::run_turn() {
  take_arrived();
  running_.swap(due_);
  const auto began = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < running_.size(); ++i) {
    run_one(running_[i]);
    if (i + 1 == running_.size() || std::chrono::steady_clock::now() - began < patience) continue;
    while (++i < running_.size()) hand_to_scheduler(running_[i]);
  }
  running_.clear();
}

bool poller_scheduler::may_sleep() {
  sleeping_.store(true);
  if (!has_work()) return true;
  sleeping_.store(false);
  return false;
}

void poller_scheduler::close() {
  {
    std::lock_guard turn{runner_};
    {
      std::lock_guard guard{mutex_};
      closed_ = true;
    }
    take_arrived();
    for (auto* job : std::exchange(due_, {})) hand_to_scheduler(job);
  }
  run_jobs();
}

/// As a worker of CAF's scheduler does it: a job comes with a reference, which it keeps only while it waits its turn.
void poller_scheduler::run_one(caf::resumable* job) {
  switch (job->resume(&context_, messages_a_turn)) {
    case caf::resumable::resume_later:
      due_.push_back(job);
      break;
    case caf::resumable::done:
    case caf::resumable::awaiting_message:
      caf::intrusive_ptr_release(job);
      break;
    case caf::resumable::shutdown_execution_unit:
      break;
  }
  // Only now: an actor that is woken finds all that this turn sent to it, not the first message alone.
  for (auto* other : context_.woken) hand_to_scheduler(other);
  context_.woken.clear();
}

void poller_scheduler::take_arrived() {
  if (!has_arrived_.exchange(false)) return;
  std::lock_guard guard{mutex_};
  due_.insert(due_.end(), arrived_.begin(), arrived_.end());
  arrived_.clear();
}

void poller_scheduler::hand_to_scheduler(caf::resumable* job) { system().scheduler().enqueue(job); }

}  // namespace understudy::internal
