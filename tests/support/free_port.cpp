// Reservations of ports: a socket in the abstract namespace is the lock, so it ends with its holder.
#include "support/free_port.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace understudy::test {
namespace {

constexpr std::uint16_t first_port = 10'000;
constexpr std::string_view claim_prefix = "understudy-test-port-";

/// Ports from here on are handed out by the kernel to outgoing connections.
std::uint16_t first_ephemeral_port() {
  std::ifstream in("/proc/sys/net/ipv4/ip_local_port_range");
  unsigned first = 0;
  return in >> first && first > first_port + 1000u && first <= 65'535u ? static_cast<std::uint16_t>(first) : 32'768;
}

/// The lock on `port`, or -1 when another test holds it.
int claim(std::uint16_t port) {
  const std::string name = std::string{claim_prefix} + std::to_string(port);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0) return fd;
  if (fd >= 0) ::close(fd);
  return -1;
}

/// True when nobody else listens on `port` or lingers there.
bool can_bind(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return bound;
}

}  // namespace

reserved_port::reserved_port() {
  const std::uint16_t end = first_ephemeral_port();
  const auto span = static_cast<std::uint16_t>(end - first_port);
  const unsigned start = std::random_device{}() % span;
  for (unsigned i = 0; i < span; ++i) {
    const auto candidate = static_cast<std::uint16_t>(first_port + (start + i) % span);
    const int lock = claim(candidate);
    if (lock < 0) continue;
    if (can_bind(candidate)) {
      number_ = candidate;
      claim_ = lock;
      return;
    }
    ::close(lock);
  }
  throw std::runtime_error("no free port on 127.0.0.1");
}

reserved_port::~reserved_port() {
  if (claim_ >= 0) ::close(claim_);
}

reserved_port::reserved_port(reserved_port&& other) noexcept
    : number_(std::exchange(other.number_, std::uint16_t{0})), claim_(std::exchange(other.claim_, -1)) {}

reserved_port& reserved_port::operator=(reserved_port&& other) noexcept {
  std::swap(number_, other.number_);
  std::swap(claim_, other.claim_);
  return *this;
}

std::uint16_t free_port() {
  static std::mutex guard;
  static std::vector<reserved_port> held;
  std::lock_guard lock(guard);
  return held.emplace_back().number();
}

bool is_port_reservation(int fd) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.sun_family != AF_UNIX)
    return false;
  const std::string_view name(address.sun_path + 1, std::max<std::size_t>(size, offsetof(sockaddr_un, sun_path) + 1) -
                                                        offsetof(sockaddr_un, sun_path) - 1);
  return address.sun_path[0] == '\0' && name.substr(0, claim_prefix.size()) == claim_prefix;
}

}  // namespace understudy::test
