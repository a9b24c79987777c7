// Opens, writes and reopens the log's file: see log_file.hpp.
#include "understudy/runtime/platform/log_file.hpp"
#include "understudy/config/files.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

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

/// While it lives, a pipe whose reader has gone is an error for this thread, and no signal that ends the process.
class pipes_may_break {
 public:
  pipes_may_break() {
    ::sigemptyset(&broken_);
    ::sigaddset(&broken_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &broken_, &before_);
  }
  ~pipes_may_break() {
    if (::sigismember(&before_, SIGPIPE) == 1) return;
    const timespec at_once{};
    while (::sigtimedwait(&broken_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  pipes_may_break(const pipes_may_break&) = delete;
  pipes_may_break& operator=(const pipes_may_break&) = delete;

 private:
  sigset_t broken_{}, before_{};
};

}  // namespace

log_file::log_file(std::string path) : path_(std::move(path)) {
  if (!path_.empty()) file_ = opened(path_);
}

std::string log_file::write(std::string_view line) {
  const std::lock_guard guard{mutex_};
  std::string data{torn_ ? "\n" : ""};
  data.append(line) += '\n';
  const int fd = path_.empty() ? STDERR_FILENO : file_.get();
  const pipes_may_break meanwhile;
  for (std::string_view left = data; !left.empty();) {
    pollfd ready{fd, POLLOUT, 0};
    const int polled = ::poll(&ready, 1, patience_ms);
    if (polled == 0) return not_read_in_time;
    if (polled > 0 && (ready.revents & POLLOUT) == 0) return config::errno_text(EPIPE);
    const auto written = polled < 0 ? -1 : ::write(fd, left.data(), std::min(left.size(), chunk));
    if (written < 0 && errno != EINTR && errno != EAGAIN) return config::errno_text(errno);
    if (written <= 0) continue;
    left.remove_prefix(static_cast<std::size_t>(written));
    torn_ = !left.empty();
  }
  return {};
}

void log_file::reopen() {
  if (path_.empty()) return;
  auto anew = opened(path_);
  const std::lock_guard guard{mutex_};
  std::swap(file_, anew);
  torn_ = false;
}

}  // namespace understudy::internal
