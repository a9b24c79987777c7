// Listening, refusing, and being too busy to answer.
#include "support/tcp_listener.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace understudy::test {
namespace {

constexpr int wide_backlog = 4096;
constexpr int filled_after_ms = 30;
constexpr int most_fillers = 16;

sockaddr_in place(std::uint32_t host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = host;
  return address;
}

int new_socket() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "socket");
  return fd;
}

}  // namespace

void close_with_reset(int fd) {
  const linger at_once{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(fd);
}

void lose_packets_to(int fd) {
  sock_filter accept_nothing{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, &accept_nothing};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
    throw std::system_error(errno, std::generic_category(), "attaching a packet filter");
}

tcp_listener::tcp_listener(event_loop& loop, accepted told)
    : loop_(loop), told_(std::move(told)), reserved_(std::in_place), address_(htonl(INADDR_LOOPBACK)) {}

tcp_listener::tcp_listener(event_loop& loop, accepted told, const std::string& address, std::uint16_t port)
    : loop_(loop), told_(std::move(told)), given_port_(port), address_(::inet_addr(address.c_str())) {}

tcp_listener::~tcp_listener() { close(); }

void tcp_listener::listen_on(int backlog) {
  if (fd_ < 0) {
    fd_ = new_socket();
    const int yes = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const sockaddr_in address = place(address_, port());
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::system_error(errno, std::generic_category(), "bind");
  }
  // Listening again on a listening socket only changes its backlog.
  if (::listen(fd_, backlog) != 0) throw std::system_error(errno, std::generic_category(), "listen");
}

void tcp_listener::open() {
  listen_on(wide_backlog);
  loop_.watch(fd_, EPOLLIN, [this](std::uint32_t) { accept_all(); });
}

void tcp_listener::close() {
  if (fd_ < 0) return;
  loop_.forget(fd_);
  ::close(fd_);
  fd_ = -1;
  remove_fillers();
}

void tcp_listener::hold() {
  listen_on(wide_backlog);
  loop_.forget(fd_);
}

void tcp_listener::ignore() {
  listen_on(0);
  loop_.forget(fd_);
  fill_backlog();
}

void tcp_listener::accept_all() {
  for (;;) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    const int fd = ::accept4(fd_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) break;
    if (fillers_.count(ntohs(peer.sin_port)) != 0) {
      ::close(fd);
      continue;
    }
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    told_(fd);
    if (fd_ < 0) return;
  }
  remove_fillers();
}

/// Connects until one of our own connects stays unanswered: then so will everybody's.
void tcp_listener::fill_backlog() {
  for (int i = 0; i < most_fillers; ++i) {
    const int fd = new_socket();
    const sockaddr_in target = place(address_, port());
    ::connect(fd, reinterpret_cast<const sockaddr*>(&target), sizeof target);
    sockaddr_in own{};
    socklen_t size = sizeof own;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size);
    pollfd connected{fd, POLLOUT, 0};
    const bool answered = ::poll(&connected, 1, filled_after_ms) > 0;
    if (!answered) {
      ::close(fd);
      return;
    }
    fillers_[ntohs(own.sin_port)] = fd;
  }
  throw std::runtime_error("the backlog does not fill");
}

void tcp_listener::remove_fillers() {
  for (const auto& [port, fd] : fillers_) ::close(fd);
  fillers_.clear();
}

}  // namespace understudy::test
