// A program that the demonstration starts: it ends with the demonstration, however that ends.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace understudy::cli {

/// Runs from construction to kill() or destruction; out of reach of the terminal's Ctrl-C, its output in a file.
class demo_process {
 public:
  /// `command`: the path of the program, and its arguments. Throws std::runtime_error when no process can be started.
  demo_process(std::vector<std::string> command, std::filesystem::path log);
  ~demo_process();
  demo_process(const demo_process&) = delete;
  demo_process& operator=(const demo_process&) = delete;

  /// Returns when `ready` says so. Throws std::runtime_error, with the end of its output, when the process ends before
  /// that or takes longer than five seconds.
  void wait_until(const std::function<bool()>& ready);
  /// Waits for its end; true when it ended by itself, with success.
  bool succeeded();
  /// The end of its output, 500 bytes at the most.
  std::string end_of_log() const;
  /// kill -9; returns when it has ended.
  void kill();
  /// SIGSTOP, for good; kill() ends it all the same.
  void pause();

 private:
  const std::string name_;
  const std::filesystem::path log_;
  pid_t pid_ = -1;
};

}  // namespace understudy::cli
