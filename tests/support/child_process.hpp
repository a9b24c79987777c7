// Other programs run by tests: servers that must not outlive the test, and the command-line program.
#pragma once
#include "support/eventually.hpp"
#include "support/temporary_folder.hpp"

#include <sys/types.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace understudy::test {

/// A running program. It is killed when this object or the test program ends, and never becomes a zombie. Thread-safe.
class child_process {
 public:
  struct options {
    std::vector<std::string> command = {};      ///< program (looked up in PATH) and arguments
    std::string input = {};                     ///< what it reads from standard input
    std::vector<std::string> environment = {};  ///< "NAME=value", added to the test's own environment
    std::filesystem::path working_folder = {};  ///< empty: the test's own
  };

  /// Starts the program; throws std::system_error when it cannot be started.
  explicit child_process(options with);
  explicit child_process(std::vector<std::string> command) : child_process(options{std::move(command), {}, {}, {}}) {}
  ~child_process();
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  pid_t pid() const noexcept { return pid_; }
  bool running() const;
  /// Sends a signal; nothing happens when the process has ended.
  void send_signal(int number);
  /// True once it runs `program` and that catches or blocks the signal: a shell that becomes it may catch the signal
  /// too, and is no longer there to handle it then (proc(5): exe, SigCgt, SigBlk).
  bool handles(int number, const std::filesystem::path& program) const;
  void kill9();
  void stop();    ///< SIGSTOP; returns when it has stopped
  void resume();  ///< SIGCONT
  /// Waits for the end: its exit code, or minus the signal that killed it; nothing when it still runs after `timeout`.
  std::optional<int> wait(std::chrono::milliseconds timeout = patience);
  /// What it has written so far.
  std::string output() const;
  std::string error_output() const;

 private:
  void keep(const options& with);
  bool stopped() const;

  temporary_folder folder_;
  pid_t pid_ = 0;
  int start_error_ = 0;
  mutable std::mutex guard_;
  std::condition_variable changed_;
  bool started_ = false;
  std::optional<int> status_;
  std::thread keeper_;
};

/// What a program that ran to its end left.
struct program_result {
  int status = 0;  ///< exit code, or minus the signal that killed it
  std::string output;
  std::string error_output;
};

/// Runs a program to its end; throws std::runtime_error (after killing it) when that takes longer than `timeout`.
program_result run_program(child_process::options with, std::chrono::milliseconds timeout = patience);

}  // namespace understudy::test
