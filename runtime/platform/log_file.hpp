// Where the log's lines end: a file that can be opened anew, or standard error.
#pragma once
#include "understudy/runtime/platform/descriptor.hpp"

#include <mutex>
#include <string>
#include <string_view>

namespace understudy::internal {

/// What is said of lines that nobody took in time.
inline constexpr const char* not_read_in_time = "it was not read fast enough";

/// Appends lines to a file, or to standard error. Thread-safe.
class log_file {
 public:
  /// An empty path: standard error. Throws std::system_error when the file cannot be opened for appending.
  explicit log_file(std::string path = {});

  /// Writes `line` and a newline. A reader at the other end (of a pipe, a terminal) who does not read for a quarter of
  /// a second loses it, or the rest of it; the next line is one of its own all the same. Returns why it was not written
  /// whole (a full disk …), or nothing when it was.
  std::string write(std::string_view line);
  /// Opens the path anew, after whoever rotates logs has renamed the file. Throws std::system_error when that fails:
  /// the earlier file stays. Standard error has nothing to open.
  void reopen();

 private:
  const std::string path_;
  std::mutex mutex_;
  descriptor file_;
  bool torn_ = false;  ///< what was written last is a part of a line
};

}  // namespace understudy::internal
