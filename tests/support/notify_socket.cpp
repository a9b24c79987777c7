// Datagrams of a service: see notify_socket.hpp.
#include "support/notify_socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <sstream>
#include <system_error>

namespace understudy::test {

bool has_assignment(const std::string& datagram, const std::string& line) {
  std::istringstream lines(datagram);
  for (std::string each; std::getline(lines, each);)
    if (line.back() == '=' ? each.compare(0, line.size(), line) == 0 : each == line) return true;
  return false;
}

notify_socket::notify_socket(bool abstract) : name_((abstract ? "@" : "") + (folder_ / "notify").string()) {
  fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "socket");
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  name_.copy(at.sun_path, sizeof at.sun_path - 1);
  if (abstract) at.sun_path[0] = '\0';
  const auto size = offsetof(sockaddr_un, sun_path) + name_.size() + (abstract ? 0 : 1);
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&at), static_cast<socklen_t>(size)) != 0)
    throw std::system_error(errno, std::generic_category(), "bind " + name_);
}

notify_socket::~notify_socket() { ::close(fd_); }

std::string notify_socket::next(std::chrono::milliseconds timeout) {
  pollfd ready{fd_, POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(timeout.count())) <= 0) return {};
  std::array<char, 8192> bytes{};
  const auto size = ::recv(fd_, bytes.data(), bytes.size(), 0);
  if (size < 0) throw std::system_error(errno, std::generic_category(), "recv");
  seen_.emplace_back(bytes.data(), static_cast<std::size_t>(size));
  return seen_.back();
}

bool notify_socket::await(const std::string& line, std::chrono::milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    const auto datagram = next(std::max(left, std::chrono::milliseconds{0}));
    if (datagram.empty()) return false;
    if (has_assignment(datagram, line)) return true;
  }
}

std::size_t notify_socket::count(const std::string& line, std::size_t from) {
  while (!next(std::chrono::milliseconds{0}).empty()) continue;
  return static_cast<std::size_t>(
      std::count_if(seen_.begin() + static_cast<std::ptrdiff_t>(std::min(from, seen_.size())), seen_.end(),
                    [&](const std::string& each) { return has_assignment(each, line); }));
}

}  // namespace understudy::test
