// How many threads and descriptors this process has, for tests that nothing leaks.
#pragma once
#include <filesystem>
#include <iterator>

namespace understudy::test {

inline std::size_t entries_of(const char* folder) {
  namespace fs = std::filesystem;
  return static_cast<std::size_t>(std::distance(fs::directory_iterator{folder}, fs::directory_iterator{}));
}
/// Threads of this process.
inline std::size_t threads_now() { return entries_of("/proc/self/task"); }
/// Open descriptors of this process (one of them is the look itself).
inline std::size_t descriptors_now() { return entries_of("/proc/self/fd"); }

}  // namespace understudy::test
