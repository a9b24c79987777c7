// Where a password comes from when it is not written in the configuration: a file, a command, a callback. All of it may
// block, so it runs on a worker.
#pragma once
#include "understudy/config/connection_info.hpp"

#include <functional>
#include <string_view>

namespace understudy::internal {

/// A password, or why there is none. The reason never has any of the password in it.
struct secret_reading {
  secret value;
  std::string problem;  ///< empty when all went well
  bool ok() const noexcept { return problem.empty(); }
};

/// The places that one password may be given at; at most one is used.
struct secret_source {
  std::string_view key;  ///< "password": the others are password_file, password_command and password_callback
  const secret& value;
  const std::string& file;
  const std::vector<std::string>& command;
  const std::function<std::string()>& callback;

  /// The names of those that are given.
  std::vector<std::string> given() const;
  bool constant() const { return file.empty() && command.empty() && !callback; }
};
/// Those of the service's password, and of an encrypted client key's; they refer to `server`.
secret_source password_of(const connection_info& server);
secret_source client_key_password_of(const connection_info& server);

/// Whether somebody still waits for what is being read; asked again and again while a command runs, which is ended when
/// the answer is no. Must not block or throw. Empty: always.
using still_wanted = std::function<bool()>;

/// The password, from whichever source is given; no password and no problem when none is. A command gets `limit` to
/// finish.
secret_reading read_source(const secret_source& source, milliseconds limit = seconds{10},
                           const still_wanted& wanted = {});
/// What the service's identity at `server` hangs on: its password; with SASL EXTERNAL the state of the certificate's
/// file, or this process's user at a Unix socket, so that a new one is told from an old one.
secret_reading read_secret(const connection_info& server, milliseconds limit = seconds{10},
                           const still_wanted& wanted = {});

/// The content of a file (at most 64 KiB), without one newline at its end. An empty one is a problem. `key` names it.
secret_reading read_secret_file(const std::string& path, std::string_view key = "password_file");

/// What a program writes to its standard output (at most 64 KiB), without one newline at its end. It is run without a
/// shell, found in PATH when its name has no slash, in a process group of its own; with standard input and error at
/// /dev/null, no other open file and default signal handling. A problem: it cannot be run, ends with another status
/// than 0, writes nothing, too much, or not within `limit`, or is no longer `wanted`. One that still runs then is ended
/// with its whole group before this returns: SIGTERM, 100 ms, SIGKILL. It is waited for by its own id only; when the
/// host program ignores or reaps SIGCHLD, its exit status is lost and what it wrote does not count.
secret_reading run_secret_command(const std::vector<std::string>& argv, milliseconds limit = seconds{10},
                                  std::string_view key = "password_command", const still_wanted& wanted = {});

}  // namespace understudy::internal
