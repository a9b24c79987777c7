// Opens, writes and reopens the log's file: see log_file.hpp.
#include "understudy/runtime/platform/log_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

namespace understudy::internal {
namespace {

// A descriptor that polls as writable takes this much without blocking (POSIX: PIPE_BUF on a pipe).
constexpr std::size_t chunk = 4096;
constexpr int patience_ms = 250;

descriptor opened(const std::string& path) {
  // A FIFO that nobody reads would be waited for without end; this way it is an error, and a slow reader is waited for
  // with a limit (write()).
  return {::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640), path.c_str()};
}

}  // namespace

log_file::log_file(std::string path) : path_(std::move(path)) {
  if (!path_.empty()) file_ = opened(path_);
}

void log_file::write(std::string_view line) {
  std::string data{line};
  data += '\n';
  const std::lock_guard guard{mutex_};
  const int fd = path_.empty() ? STDERR_FILENO : file_.get();
  for (std::string_view left = data; !left.empty();) {
    pollfd ready{fd, POLLOUT, 0};
    if (::poll(&ready, 1, patience_ms) <= 0 || (ready.revents & POLLOUT) == 0) return;
    const auto written = ::write(fd, left.data(), std::min(left.size(), chunk));
    if (written < 0 && errno != EINTR && errno != EAGAIN) return;
    if (written > 0) left.remove_prefix(static_cast<std::size_t>(written));
  }
}

void log_file::reopen() {
  if (path_.empty()) return;
  auto anew = opened(path_);
  const std::lock_guard guard{mutex_};
  std::swap(file_, anew);
}

}  // namespace understudy::internal
