// Actors that run on a thread of ours instead of CAF's workers.
#pragma once
#include <caf/execution_unit.hpp>
#include <caf/fwd.hpp>

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

namespace understudy {

/// The execution unit of hosted actors (actors/ports/hosted.hpp): whoever sends to one puts it here, from any thread,
/// and one thread runs it. What hosted actors send to others wakes those on their own system's scheduler. Messages that
/// are sent while the thread is busy cost no wake-up, and one turn of an actor takes all that arrived since the last.
class run_queue final : public caf::execution_unit {
 public:
  /// `wake` ends the thread's sleep; called on any thread.
  run_queue(caf::actor_system& system, std::function<void()> wake);

  /// An actor has something to do. Thread-safe, unlike other execution units' exec_later().
  void exec_later(caf::resumable* job) override;

  // ---- of the thread that runs them ----

  /// The calling thread is the one from now on.
  void take_thread() noexcept;
  /// One turn for each actor that has something to do; true when some have again.
  bool run();
  /// To be called before sleeping: false when something has come. Afterwards exec_later() calls `wake`.
  bool may_sleep();
  void woke() noexcept { sleeping_.store(false); }
  /// What is left, and what comes later, goes to CAF's scheduler.
  void close();

 private:
  /// What a running actor takes for its execution unit: others that it wakes are not ours.
  class context final : public caf::execution_unit {
   public:
    explicit context(caf::actor_system& system) : caf::execution_unit(&system) {}
    void exec_later(caf::resumable* job) override { woken.push_back(job); }
    std::vector<caf::resumable*> woken;
  };

  void run_one(caf::resumable* job);
  void take_arrived();
  void hand_to_scheduler(caf::resumable* job);

  std::function<void()> wake_;
  context context_;
  std::vector<caf::resumable*> due_, running_;  // of the thread alone
  std::mutex mutex_;
  std::vector<caf::resumable*> arrived_;
  bool closed_ = false;
  std::atomic<bool> has_arrived_{false}, sleeping_{false};
};

}  // namespace understudy
