// Actors that run on a thread of ours instead of CAF's workers.
#pragma once
#include <caf/execution_unit.hpp>
#include <caf/fwd.hpp>

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

namespace understudy::internal {

/// The execution unit of poller actors (actors/ports/poller_actor.hpp): whoever sends to one puts it here, from any
/// thread, and one thread runs it. What poller actors send to others wakes those on their own system's scheduler.
/// Messages that are sent while the thread is busy cost no wake-up, and one turn of an actor takes all that arrived
/// since the last. While it sleeps, a thread that is about to wait anyway may run them instead of waking it.
class poller_scheduler final : public caf::execution_unit {
 public:
  /// `wake` ends the thread's sleep; called on any thread.
  poller_scheduler(caf::actor_system& system, std::function<void()> wake);

  /// An actor has something to do. Thread-safe, unlike other execution units' exec_later().
  void exec_later(caf::resumable* job) override;
  /// poller_port::run_inline(). Thread-safe.
  void run_inline(const std::function<void()>& send);
  /// True on a thread that runs actors because it is about to wait: whoever it belongs to may hold locks, so that code
  /// of others must not run there.
  static bool on_caller_thread() noexcept;
  /// poller_port::post(). Thread-safe.
  bool post(const std::function<void()>& job);
  /// poller_port::posted(). Thread-safe.
  std::size_t posted() const;

  // ---- of the thread that runs them ----

  /// A few turns for each actor that has something to do; true when some have again.
  bool run();
  /// True when something has come since.
  bool has_work() const noexcept { return has_arrived_.load() || has_jobs_.load(); }
  /// To be called before sleeping: false when something has come. Afterwards exec_later() calls `wake`.
  bool may_sleep();
  void woke() noexcept { sleeping_.store(false); }
  /// What is left, and what comes later, goes to CAF's scheduler; nothing runs here any more when it returns.
  void close();

 private:
  /// What a running actor takes for its execution unit: others that it wakes are not ours.
  class context final : public caf::execution_unit {
   public:
    explicit context(caf::actor_system& system) : caf::execution_unit(&system) {}
    void exec_later(caf::resumable* job) override { woken.push_back(job); }
    std::vector<caf::resumable*> woken;
  };

  void run_jobs();
  void wake_if_asleep();
  bool run_turns();
  void run_turn();
  void run_one(caf::resumable* job);
  void take_arrived();
  void hand_to_scheduler(caf::resumable* job);

  std::function<void()> wake_;
  // Of whichever thread runs actors.
  std::mutex runner_;
  context context_;
  std::vector<caf::resumable*> due_, running_;

  mutable std::mutex mutex_;
  std::vector<caf::resumable*> arrived_;
  std::vector<std::function<void()>> jobs_;
  bool closed_ = false;
  std::atomic<bool> has_arrived_{false}, has_jobs_{false}, sleeping_{false};
};

}  // namespace understudy::internal
