// Ctrl-C (and SIGTERM, SIGHUP) as an event that commands can wait for, instead of a sudden end.
#pragma once
#include <atomic>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace understudy::cli {

/// Thrown out of an input that the user gave up.
class interrupted : public std::runtime_error {
 public:
  interrupted() : std::runtime_error("interrupted") {}
};

/// Takes the signals over for as long as it lives; made before any other thread starts. A command has three seconds to
/// end after the first signal, then the process exits; a second signal ends it at once.
class interrupt_watch {
 public:
  /// Throws std::system_error when the process has no descriptors left, ldap_exception (local_resources) when it may
  /// start no thread.
  interrupt_watch();
  ~interrupt_watch();
  interrupt_watch(const interrupt_watch&) = delete;
  interrupt_watch& operator=(const interrupt_watch&) = delete;

  bool tripped() const noexcept { return tripped_; }
  /// Readable from the first signal on.
  int descriptor() const noexcept { return tripped_fd_; }
  /// Runs `action` on another thread from the first signal on, again and again until it is replaced: what it ends may
  /// begin a moment later. Runs it here first when a signal has come already. Replaces the earlier action; once it
  /// returns, that one is not running and never will.
  void on_interrupt(std::function<void()> action);
  /// From now on SIGINT, SIGTERM, SIGHUP and SIGUSR1, but for those that were ignored when the program started, are
  /// told to `listener`, on another thread, and change nothing else: for a service, which decides itself what they
  /// mean. Once this returns, an earlier listener is not running and never will. For the thread that made this, while
  /// all others take no signals. Throws interrupted when a signal has come already.
  void deliver_to(std::function<void(int signal)> listener);
  /// What is done before the process exits although the command has not ended; on another thread, must be quick.
  void on_hurried_exit(std::function<void()> last);

 private:
  void watch();
  /// True when there is a listener, which has been told; else this is an interruption.
  bool delivered(int signal);
  void act();
  [[noreturn]] void exit_now();

  int signal_fd_ = -1, tripped_fd_ = -1, stop_fd_ = -1;
  std::atomic<bool> tripped_{false};
  std::mutex mutex_;
  std::function<void()> action_;
  std::function<void(int)> listener_;  ///< guarded by mutex_
  std::mutex last_mutex_;
  std::function<void()> last_;
  std::thread thread_;
};

/// Sets an action for a scope.
class interrupt_action {
 public:
  interrupt_action(interrupt_watch& watch, std::function<void()> action) : watch_(watch) {
    watch_.on_interrupt(std::move(action));
  }
  ~interrupt_action() { watch_.on_interrupt({}); }
  interrupt_action(const interrupt_action&) = delete;
  interrupt_action& operator=(const interrupt_action&) = delete;

 private:
  interrupt_watch& watch_;
};

/// Undoes the blocking of signals in a child process about to run another program. Async-signal-safe.
void restore_signals() noexcept;

}  // namespace understudy::cli
