// Forwarding with faults.
#include "support/gate_link.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace understudy::test {
namespace {

constexpr std::size_t client = 0, server = 1;
constexpr std::size_t most_waiting = 1u << 20;
/// A throttle lets pass what is due every so often.
constexpr std::size_t throttle_steps_per_second = 100;

}  // namespace

gate_link::gate_link(fault_gate& gate, int client_fd) : gate_(gate) { sides_[client].fd = client_fd; }

gate_link::~gate_link() {
  for (const auto& s : sides_) {
    if (s.fd < 0) continue;
    gate_.loop_.forget(s.fd);
    ::close(s.fd);
  }
}

void gate_link::start() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(gate_.target_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sides_[server].fd = fd;
  if (fd < 0 ||
      (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS))
    return end(true);
  watch(client);
  watch(server);
}

void gate_link::swallow() {
  dark_ = true;
  watch(client);
}

void gate_link::wake() {
  forward(client);
  forward(server);
}

void gate_link::on_events(std::size_t from, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    sides_[from].blocked = false;
    forward(from);
  }
  if (sides_[from].fd < 0 || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  if (!read_from(from)) return end(true);
  forward(1 - from);
}

/// False when the connection broke.
bool gate_link::read_from(std::size_t from) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::recv(sides_[from].fd, buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got < 0 && !gate_.faults_.drop && !dark_) return false;
  if (got <= 0) sides_[from].readable = false;
  take(from, {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))});
  return true;
}

void gate_link::take(std::size_t from, std::string_view bytes) {
  if (from == client) gate_.saw_client(bytes);
  if (gate_.faults_.drop) dark_ = true;
  if (dark_) return watch(from);
  side& to = sides_[1 - from];
  to.out.push_back({std::chrono::steady_clock::now() + gate_.faults_.delay, std::string{bytes}});
  to.waiting += bytes.size();
}

void gate_link::forward(std::size_t which) {
  side& to = sides_[which];
  const auto now = std::chrono::steady_clock::now();
  while (to.fd >= 0 && !to.out.empty() && !to.blocked && !gate_.faults_.hold && !gate_.faults_.drop && !dark_) {
    piece& next = to.out.front();
    const auto when = std::max(next.due, to.next_send);
    if (when > now) {
      later(which, when);
      break;
    }
    if (!send_piece(to, next)) return end(true);
    if (gate_.faults_.slice != 0 && !to.out.empty()) {
      later(which, now);
      break;
    }
  }
  watch(client);
  watch(server);
  const bool over = std::all_of(sides_.begin(), sides_.end(), [this](const side& s) {
    return s.fd < 0 || (!s.readable && (dark_ || s.out.empty()));
  });
  if (over) end(false);
}

/// False when the connection broke.
bool gate_link::send_piece(side& to, piece& next) {
  if (next.bytes.empty()) {
    ::shutdown(to.fd, SHUT_WR);
    to.out.pop_front();
    return true;
  }
  const gate_faults& faults = gate_.faults_;
  std::size_t size = next.bytes.size() - next.sent;
  if (faults.slice != 0) size = std::min(size, faults.slice);
  if (faults.bytes_per_second != 0)
    size = std::min(size, std::max<std::size_t>(1, faults.bytes_per_second / throttle_steps_per_second));
  const ssize_t sent = ::send(to.fd, next.bytes.data() + next.sent, size, MSG_NOSIGNAL);
  if (sent < 0) {
    to.blocked = errno == EAGAIN || errno == EINTR;
    return to.blocked;
  }
  const auto done = static_cast<std::size_t>(sent);
  (&to == &sides_[server] ? gate_.to_server_ : gate_.to_client_) += done;
  if (faults.bytes_per_second != 0) {
    const std::chrono::nanoseconds cost{1'000'000'000 * done / faults.bytes_per_second};
    to.next_send = std::max(to.next_send, std::chrono::steady_clock::now()) + cost;
  } else {
    to.next_send = {};
  }
  next.sent += done;
  to.waiting -= done;
  if (next.sent == next.bytes.size()) to.out.pop_front();
  return true;
}

void gate_link::later(std::size_t which, time_point when) {
  if (sides_[which].timer) return;
  sides_[which].timer = true;
  gate_.loop_.after(when - std::chrono::steady_clock::now(), [weak = weak_from_this(), which] {
    if (const auto self = weak.lock()) {
      self->sides_[which].timer = false;
      self->forward(which);
    }
  });
}

/// Reads while there is room on the other side; a descriptor that waits for nothing is not watched, or its end would be
/// told again and again.
void gate_link::watch(std::size_t which) {
  side& s = sides_[which];
  if (s.fd < 0) return;
  std::uint32_t events = s.blocked ? static_cast<std::uint32_t>(EPOLLOUT) : 0u;
  if (s.readable && sides_[1 - which].waiting < most_waiting) events |= EPOLLIN;
  if (events == s.watched) return;
  s.watched = events;
  if (events == 0) return gate_.loop_.forget(s.fd);
  gate_.loop_.watch(s.fd, events, [weak = weak_from_this(), which](std::uint32_t got) {
    if (const auto self = weak.lock()) self->on_events(which, got);
  });
}

void gate_link::end(bool with_reset) {
  if (sides_[client].fd < 0) return;
  for (auto& s : sides_) {
    if (s.fd < 0) continue;
    gate_.loop_.forget(s.fd);
    if (with_reset)
      close_with_reset(s.fd);
    else
      ::close(s.fd);
    s.fd = -1;
    s.out.clear();
  }
  gate_.ended(shared_from_this());
}

}  // namespace understudy::test
