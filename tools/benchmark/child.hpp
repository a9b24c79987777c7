// Programs that the benchmark starts: clients that say one line and end, servers that run until they are killed.
#pragma once
#include <sys/types.h>
#include <string>
#include <vector>

namespace understudy::benchmark {

/// A child process whose standard output is read here. It dies with this object and with this process.
class child {
 public:
  /// Throws std::system_error when it cannot be started.
  explicit child(const std::vector<std::string>& command);
  ~child();
  child(child&& other) noexcept;
  child& operator=(child&&) = delete;

  /// One line of its output, without the newline; throws std::runtime_error when it ends (or says nothing) before.
  std::string read_line();
  void signal(int number);
  pid_t pid() const noexcept { return pid_; }
  /// Waits for its end; throws std::runtime_error naming the command when that was no success.
  void wait();

 private:
  std::string name_;
  pid_t pid_ = -1;
  int out_ = -1;
};

}  // namespace understudy::benchmark
