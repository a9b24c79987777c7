// Reading files without trusting them: bounded in size and time, whatever the path turns out to be.
#pragma once
#include "understudy/messages/time.hpp"

#include <string>

namespace understudy::internal::config {

struct file_contents {
  std::string text;
  std::string problem;  ///< empty when all went well: "is a directory", "No such file or directory" …
};

/// The whole of a file or pipe, at most `most` bytes; a pipe that stays silent is given up after `patience`.
file_contents read_whole(const std::string& path, std::size_t most, milliseconds patience = seconds{5});

/// Why `path` is no file that this process may read, empty when it is one.
std::string why_unreadable(const std::string& path);

/// Why this process may not append to `path`, making it if need be; empty when it may. Makes nothing.
std::string why_unwritable(const std::string& path);

/// Changes whenever the file is written or replaced (modification time, size, inode); "-" when there is none.
std::string file_state(const std::string& path);

/// The system's words for an errno value, and what to do about it where that helps.
std::string errno_text(int code);

}  // namespace understudy::internal::config
