// A command that gives no password and does not end by itself, and whether it and what it started still run.
#pragma once
#include "support/temporary_folder.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace understudy::test {

/// True while there is a process of that number that has not ended; a zombie, which somebody has yet to wait for, has.
bool process_runs(pid_t process);

/// A shell and a child of its own. A stubborn one ignores SIGTERM, and so does its child.
class hanging_command {
 public:
  explicit hanging_command(bool stubborn) : stubborn_(stubborn) {}

  /// Its last argument stands for a secret.
  std::vector<std::string> words() const;
  /// The same, but the first time it is run it writes `answer` and ends.
  std::vector<std::string> words_after(const std::string& answer) const;
  /// How many processes it has become so far: two for each time it was run.
  std::size_t started() const { return processes().size(); }
  bool all_ended() const;

 private:
  std::string hang() const;
  std::string notes() const { return (folder_ / "processes").string(); }
  std::vector<pid_t> processes() const;

  bool stubborn_;
  temporary_folder folder_;
};

}  // namespace understudy::test
