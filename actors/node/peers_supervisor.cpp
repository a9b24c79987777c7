// Spawns, watches, spawns again: see peers_supervisor.hpp.
#include "understudy/actors/node/peers_supervisor.hpp"

#include "understudy/actors/ports/guard.hpp"

#include <caf/send.hpp>

#include <condition_variable>
#include <mutex>
#include <utility>

namespace understudy::internal {

class peers_supervisor::keeper : public std::enable_shared_from_this<keeper> {
 public:
  keeper(caf::actor_system& system, peers_dependencies from, std::function<void()> given_up)
      : system_(system), from_(std::move(from)), given_up_(std::move(given_up)) {}

  void spawn() {
    peers_actor made;
    {
      const std::lock_guard lock{mutex_};
      if (ending_) return;
      made = current_ = spawn_peers(system_, from_);
      ++running_;
    }
    // Without the lock: it is called at once when that has ended already.
    caf::actor_cast<caf::strong_actor_ptr>(made)->get()->attach_functor(
        [self = shared_from_this()](const caf::error&) { self->ended(); });
  }

  peers_actor current() const {
    const std::lock_guard lock{mutex_};
    return current_;
  }

  void order_end() {
    peers_actor last;
    {
      const std::lock_guard lock{mutex_};
      ending_ = true;
      last = std::exchange(current_, nullptr);
    }
    if (last) caf::anon_send_exit(last, caf::exit_reason::user_shutdown);
  }

  bool wait(duration limit) {
    std::unique_lock lock{mutex_};
    return none_runs_.wait_for(lock, limit, [this] { return running_ == 0; });
  }

 private:
  /// On the thread of the one that ended.
  void ended() {
    bool again = false, too_often = false;
    {
      const std::lock_guard lock{mutex_};
      --running_;
      current_ = nullptr;
      again = !ending_ && restarts_.note(from_.env->clock->now());
      too_often = !ending_ && !again;
      ending_ = ending_ || too_often;
      if (running_ == 0) none_runs_.notify_all();
    }
    if (again) {
      from_.env->log->write(log_level::error, "node", "what speaks with the other nodes has ended; it is begun again");
      return spawn();
    }
    if (!too_often) return;
    from_.env->log->write(log_level::error, "node",
                          "what speaks with the other nodes has ended too often; it is not begun again");
    if (given_up_) given_up_();
  }

  caf::actor_system& system_;
  const peers_dependencies from_;
  const std::function<void()> given_up_;
  mutable std::mutex mutex_;  // of everything below
  std::condition_variable none_runs_;
  peers_actor current_;
  restart_budget restarts_;
  int running_ = 0;
  bool ending_ = false;
};

peers_supervisor::peers_supervisor(caf::actor_system& system, peers_dependencies from, std::function<void()> given_up)
    : keeper_(std::make_shared<keeper>(system, std::move(from), std::move(given_up))) {
  keeper_->spawn();
}

peers_supervisor::~peers_supervisor() { keeper_->order_end(); }

peers_actor peers_supervisor::current() const { return keeper_->current(); }

bool peers_supervisor::end(duration limit) {
  keeper_->order_end();
  return keeper_->wait(limit);
}

}  // namespace understudy::internal
