// Threads of a library inside somebody else's program: they take none of its signals.
#pragma once
#include <pthread.h>

#include <csignal>
#include <system_error>
#include <thread>
#include <utility>

namespace understudy::internal {

/// Blocks every signal in this thread, and so in the threads that it starts, until the end of the scope.
class signals_blocked {
 public:
  signals_blocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

 private:
  sigset_t before_;
};

/// A thread that takes no signals; `name` (15 characters at most) is seen in ps and top.
template <class Job>
std::thread signal_masked_thread(const char* name, Job job) {
  signals_blocked blocked;
  std::thread result{std::move(job)};
  pthread_setname_np(result.native_handle(), name);
  return result;
}

/// Runs `job`, which must not throw, on a thread that nobody waits for: what has to wait for the calling thread. Where
/// the system has no thread left, the job and what it holds is given up: waiting here would be for ever.
template <class Job>
void finish_elsewhere(Job job) noexcept {
  // Not destroyed with it: that may be what must not happen on this thread.
  auto* kept = new Job(std::move(job));
  try {
    signal_masked_thread("us.ending", [kept] {
      (*kept)();
      delete kept;
    }).detach();
  } catch (const std::system_error&) {
  }
}

}  // namespace understudy::internal
