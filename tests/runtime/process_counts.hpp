// What /proc says of this process: how many threads and descriptors it has, and whether a thread sleeps.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace understudy::test {

inline std::size_t entries_of(const char* folder) {
  namespace fs = std::filesystem;
  return static_cast<std::size_t>(std::distance(fs::directory_iterator{folder}, fs::directory_iterator{}));
}
/// Threads of this process.
inline std::size_t threads_now() { return entries_of("/proc/self/task"); }
/// Open descriptors of this process (one of them is the look itself).
inline std::size_t descriptors_now() { return entries_of("/proc/self/fd"); }
/// True while that thread of this process waits for something.
inline bool sleeps(pid_t thread) {
  std::ifstream file{"/proc/self/task/" + std::to_string(thread) + "/stat"};
  std::string text;
  return std::getline(file, text) && text.substr(text.rfind(')') + 2, 1) == "S";
}

}  // namespace understudy::test
