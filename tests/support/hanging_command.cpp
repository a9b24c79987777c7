// The shell's script, and /proc.
#include "support/hanging_command.hpp"

#include <algorithm>
#include <fstream>

namespace understudy::test {

bool process_runs(pid_t process) {
  std::ifstream file{"/proc/" + std::to_string(process) + "/stat"};
  std::string text;
  return std::getline(file, text) && text.substr(text.rfind(')') + 2, 1) != "Z";
}

std::string hanging_command::hang() const {
  const std::string deaf = stubborn_ ? "trap '' TERM; " : "";
  return deaf + "sleep 1000 & echo $! $$ >> \"$0\"; wait";
}

std::vector<std::string> hanging_command::words() const { return {"/bin/sh", "-c", hang(), notes(), "hunter2"}; }

std::vector<std::string> hanging_command::words_after(const std::string& answer) const {
  const std::string at_first = "if mkdir \"$0.answered\" 2>/dev/null; then echo \"$1\"; exit; fi; ";
  return {"/bin/sh", "-c", at_first + hang(), notes(), answer};
}

std::vector<pid_t> hanging_command::processes() const {
  std::ifstream file{notes()};
  std::vector<pid_t> all;
  for (pid_t each = 0; file >> each;) all.push_back(each);
  return all;
}

bool hanging_command::all_ended() const {
  const auto all = processes();
  return std::none_of(all.begin(), all.end(), process_runs);
}

}  // namespace understudy::test
