// Bounded reading of files.
#include "understudy/config/files.hpp"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

namespace understudy::internal::config {

namespace {

class open_file {
 public:
  /// Non-blocking: opening a pipe that nobody writes to must not wait.
  explicit open_file(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  ~open_file() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

std::string kind_problem(const struct stat& status) {
  if (S_ISDIR(status.st_mode)) return "is a directory";
  if (S_ISBLK(status.st_mode) || S_ISSOCK(status.st_mode)) return "is not a file";
  return {};
}

/// Waits until there is something to read; false when `until` passes first.
bool readable_before(int fd, time_point until) {
  const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
  pollfd wanted{fd, POLLIN, 0};
  return left > milliseconds::zero() && ::poll(&wanted, 1, static_cast<int>(left.count())) != 0;
}

/// What was read so far, in one piece of memory that leaves nothing behind: it may be a password.
class wiped_buffer {
 public:
  wiped_buffer() : bytes_(65536) {}
  ~wiped_buffer() { ::explicit_bzero(bytes_.data(), bytes_.size()); }
  wiped_buffer(const wiped_buffer&) = delete;
  wiped_buffer& operator=(const wiped_buffer&) = delete;

  /// As read(2), behind what is there.
  ssize_t read(int fd) {
    if (size_ == bytes_.size()) grow();
    const auto count = ::read(fd, bytes_.data() + size_, bytes_.size() - size_);
    if (count > 0) size_ += static_cast<std::size_t>(count);
    return count;
  }
  std::size_t size() const noexcept { return size_; }
  std::string text() const { return {bytes_.data(), size_}; }

 private:
  void grow() {
    std::vector<char> more(bytes_.size() * 2);
    std::copy(bytes_.begin(), bytes_.end(), more.begin());
    more.swap(bytes_);
    ::explicit_bzero(more.data(), more.size());
  }

  std::vector<char> bytes_;
  std::size_t size_ = 0;
};

void read_into(file_contents& result, int fd, std::size_t most, time_point until) {
  wiped_buffer buffer;
  for (;;) {
    const auto count = buffer.read(fd);
    if (count == 0) {
      result.text = buffer.text();
      return;
    }
    if (count > 0) {
      if (buffer.size() > most) {
        result.problem = "is longer than " + std::to_string(most) + " bytes";
        return;
      }
    } else if (errno == EAGAIN) {
      if (readable_before(fd, until)) continue;
      result.problem = "does not end";
      return;
    } else if (errno != EINTR) {
      result.problem = errno_text(errno);
      return;
    }
  }
}

}  // namespace

file_contents read_whole(const std::string& path, std::size_t most, milliseconds patience) {
  file_contents result;
  const open_file file{path};
  struct stat status {};
  if (file.fd() < 0 || ::fstat(file.fd(), &status) != 0) {
    result.problem = errno_text(errno);
    return result;
  }
  result.problem = kind_problem(status);
  if (result.problem.empty()) read_into(result, file.fd(), most, std::chrono::steady_clock::now() + patience);
  return result;
}

std::string why_unreadable(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return errno_text(errno);
  if (auto problem = kind_problem(status); !problem.empty()) return problem;
  return ::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) == 0 ? std::string{} : errno_text(errno);
}

std::string why_unwritable(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (auto problem = kind_problem(status); !problem.empty()) return problem;
    return ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0 ? std::string{} : errno_text(errno);
  }
  if (errno != ENOENT) return errno_text(errno);
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (slash + 1 == path.size()) return "is a directory";
  return ::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0 ? std::string{} : errno_text(errno);
}

std::string file_state(const std::string& path) {
  struct stat s {};
  if (path.empty() || ::stat(path.c_str(), &s) != 0) return "-";
  return std::to_string(s.st_mtim.tv_sec) + "." + std::to_string(s.st_mtim.tv_nsec) + "/" + std::to_string(s.st_size) +
         "/" + std::to_string(s.st_ino);
}

std::string errno_text(int code) {
  auto text = std::generic_category().message(code);
  if (code == EMFILE) return text + " in this process; raise its limit (ulimit -n, LimitNOFILE) or open less";
  if (code == ENFILE) return text + " on this machine; raise fs.file-max";
  if (code == EADDRNOTAVAIL) return text + ": no local port or address is left for another connection";
  return text;
}

}  // namespace understudy::internal::config
