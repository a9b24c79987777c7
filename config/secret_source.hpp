// Where a password comes from when it is not written in the configuration: a file, a command, a callback. All of it may
// block, so it runs on a worker.
#pragma once
#include "understudy/config/connection_info.hpp"

namespace understudy {

/// A password, or why there is none. The reason never has any of the password in it.
struct secret_reading {
  secret value;
  std::string problem;  ///< empty when all went well
  bool ok() const noexcept { return problem.empty(); }
};

/// The password of `server`, from whichever source it has; no password and no problem when it has none. A command gets
/// `limit` to finish.
secret_reading read_secret(const connection_info& server, milliseconds limit = seconds{10});

/// The content of a file (at most 64 KiB), without one newline at its end. An empty one is a problem.
secret_reading read_secret_file(const std::string& path);

/// What a program writes to its standard output (at most 64 KiB), without one newline at its end. It is run without a
/// shell, found in PATH when its name has no slash, in a process group of its own; with standard input and error at
/// /dev/null, no other open file and default signal handling. A problem: it cannot be run, ends with another status
/// than 0, writes nothing, too much, or not within `limit` (then its group is killed). It is waited for by its own id
/// only; when the host program ignores or reaps SIGCHLD, its exit status is lost and what it wrote counts.
secret_reading run_secret_command(const std::vector<std::string>& argv, milliseconds limit = seconds{10});

}  // namespace understudy
