// A few threads for what can only block: password callbacks and commands, name look-ups.
#pragma once
#include "understudy/actors/ports/ports.hpp"

namespace understudy::internal {

/// Runs jobs on at most `threads` threads, started when needed. A job that hangs keeps its thread, not the runtime: the
/// threads are detached and share only what they need; stop() waits for running jobs, but not longer than it is told.
class worker_threads final : public workers_port {
 public:
  explicit worker_threads(std::size_t threads = 4, std::size_t most_waiting = 64);
  ~worker_threads() override;

  bool run(std::function<void()> job) override;
  /// Drops jobs that wait, ends the threads; true when all ended within `patience`. May be repeated.
  bool stop(duration patience);

 private:
  struct shared;
  std::shared_ptr<shared> shared_;
};

}  // namespace understudy::internal
