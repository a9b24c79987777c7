// System calls on stream sockets; writes never raise SIGPIPE.
#include "understudy/actors/connection/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <limits>
#include <system_error>

namespace understudy::internal {
namespace {

// A dead peer is noticed within about a minute when the connection is idle (keepalive), within user_timeout_ms when
// bytes of ours stay unacknowledged. A paused process is seen by neither: operations have deadlines for that.
constexpr int keepalive_idle_s = 30, keepalive_interval_s = 10, keepalive_probes = 3;
constexpr int user_timeout_ms = 20'000;

void set_option(int fd, int level, int name, int value) noexcept {
  // An option the kernel refuses costs speed of detection, never correctness.
  static_cast<void>(::setsockopt(fd, level, name, &value, sizeof value));
}

void set_tcp_options(int fd) noexcept {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_s);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_s);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms);
}

byte_stream_result failed_io(const char* doing, int code) {
  failure f;
  f.code = errc_of_errno(code);
  f.message = std::string{doing} + ": " + errno_text(code);
  byte_stream_result r;
  r.what = byte_stream_result::kind::failed;
  r.error = make_failure(std::move(f));
  return r;
}

class plain_stream final : public byte_stream {
 public:
  explicit plain_stream(int fd) noexcept : fd_(fd) {}

  byte_stream_result handshake() override { return {}; }

  byte_stream_result read(char* to, std::size_t room) override {
    for (;;) {
      const auto n = ::recv(fd_, to, room, MSG_DONTWAIT);
      if (n > 0) return {byte_stream_result::kind::done, static_cast<std::size_t>(n), 0, nullptr};
      if (n == 0) return {byte_stream_result::kind::closed, 0, 0, nullptr};
      if (errno == EAGAIN || errno == EWOULDBLOCK) return {byte_stream_result::kind::want_read, 0, 0, nullptr};
      if (errno != EINTR) return failed_io("reading from the server", errno);
    }
  }

  byte_stream_result write(const char* from, std::size_t size) override {
    for (;;) {
      const auto n = ::send(fd_, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n >= 0) {
        const auto moved = static_cast<std::size_t>(n);
        return {byte_stream_result::kind::done, moved, moved, nullptr};
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK) return {byte_stream_result::kind::want_write, 0, 0, nullptr};
      if (errno != EINTR) return failed_io("writing to the server", errno);
    }
  }

  std::size_t largest_write() const noexcept override { return std::numeric_limits<std::size_t>::max(); }
  bool drained_by_short_read() const noexcept override { return true; }
  void shut_down() noexcept override {}
  std::string encryption() const override { return "none"; }

 private:
  int fd_;
};

}  // namespace

opened_socket open_socket(const socket_address& to) noexcept {
  opened_socket s;
  s.fd = ::socket(to.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (s.fd < 0) {
    s.error = errno;
    return s;
  }
  if (to.family != AF_UNIX) set_tcp_options(s.fd);
  const auto* address = reinterpret_cast<const sockaddr*>(to.bytes.data());
  if (::connect(s.fd, address, static_cast<socklen_t>(to.bytes.size())) != 0 && errno != EINPROGRESS) {
    s.error = errno;
    ::close(s.fd);
    s.fd = -1;
  }
  return s;
}

bool is_ready(int fd, short event) noexcept {
  pollfd at{fd, event, 0};
  return ::poll(&at, 1, 0) == 1 && (at.revents & event) != 0;
}

int pending_error(int fd) noexcept {
  int code = 0;
  socklen_t size = sizeof code;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno;
}

socket_address local_address(const std::string& path) {
  sockaddr_un name{};
  socket_address address;
  address.family = AF_UNIX;
  address.text = path;
  if (path.empty() || path.size() >= sizeof name.sun_path) return address;
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  address.bytes.assign(reinterpret_cast<const char*>(&name), sizeof name);
  return address;
}

errc errc_of_errno(int code) noexcept {
  switch (code) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
      return errc::local_resources;
    default:
      return errc::connection_failed;
  }
}

std::unique_ptr<byte_stream> make_plain_stream(int fd) { return std::make_unique<plain_stream>(fd); }

}  // namespace understudy::internal
