// A file descriptor that closes itself.
#pragma once
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace understudy::internal {

/// Owns a file descriptor.
class descriptor {
 public:
  descriptor() = default;
  /// Takes what the call `made_by` returned; throws std::system_error with errno when that is negative.
  descriptor(int fd, const char* made_by) : fd_(fd) {
    if (fd < 0) throw std::system_error(errno, std::generic_category(), made_by);
  }
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }
  /// It is somebody else's to close.
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

}  // namespace understudy::internal
