// Threads of a library inside somebody else's program: they take none of its signals.
#pragma once
#include <pthread.h>

#include <csignal>
#include <thread>
#include <utility>

namespace understudy {

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
std::thread quiet_thread(const char* name, Job job) {
  signals_blocked blocked;
  std::thread result{std::move(job)};
  pthread_setname_np(result.native_handle(), name);
  return result;
}

}  // namespace understudy
