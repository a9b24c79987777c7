// A directory that answers at once with canned bytes, as cheaply as can be: what is measured then is the client.
// null_responder run [entries=N] [backlog=N] [cert=FILE key=FILE]: prints "PORT" (plain) or "PORT TLSPORT", serves
// until killed.
#include "arguments.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace {

using understudy::benchmark::arguments;

struct peer {
  int fd = -1;
  SSL* tls = nullptr;
  bool shaking_hands = false;
  bool waits_for_room = false;
  std::string in;   // an incomplete PDU
  std::string out;  // what the socket did not take, from `out_begin` on
  std::size_t out_begin = 0;
};

std::string tlv(char tag, const std::string& body) {
  std::string made(1, tag);
  if (body.size() < 128) {
    made += static_cast<char>(body.size());
  } else {
    made += '\x82';
    made += static_cast<char>(body.size() >> 8);
    made += static_cast<char>(body.size());
  }
  return made + body;
}

std::string entry_body() {
  const std::string values = tlv('\x31', tlv('\x04', "user1@example.com"));
  const std::string mail = tlv('\x30', tlv('\x04', "mail") + values);
  return tlv('\x64', tlv('\x04', "uid=user1,ou=people,dc=example,dc=com") + tlv('\x30', mail));
}

std::string result_body(char tag) { return tlv(tag, std::string("\x0a\x01\x00\x04\x00\x04\x00", 7)); }

class responder {
 public:
  responder(int entries, SSL_CTX* context)
      : context_(context), entries_(entries), entry_(entry_body()), done_(result_body('\x65')) {}

  void listen_on(int fd, bool tls) { watch(fd, EPOLL_CTL_ADD, EPOLLIN, tls ? &tls_listener_ : &plain_listener_); }

  [[noreturn]] void serve() {
    std::array<epoll_event, 256> events;
    for (;;) {
      const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < n; ++i) {
        auto* who = static_cast<peer*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (who == &plain_listener_ || who == &tls_listener_) {
          accept_all(*who, who == &tls_listener_);
        } else if (!step(*who)) {
          if (who->tls != nullptr) SSL_free(who->tls);
          close(who->fd);
          delete who;
        }
      }
    }
  }

 private:
  void watch(int fd, int how, std::uint32_t interest, peer* watched) {
    watched->fd = fd;
    epoll_event event{};
    event.events = interest;
    event.data.ptr = watched;
    if (epoll_ctl(epoll_, how, fd, &event) != 0) {
      std::perror("epoll_ctl");
      std::exit(1);
    }
  }

  void accept_all(const peer& listener, bool tls) {
    for (;;) {
      const int fd = accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      auto made = std::make_unique<peer>();
      if (tls) {
        made->tls = SSL_new(context_);
        SSL_set_fd(made->tls, fd);
        SSL_set_accept_state(made->tls);
        made->shaking_hands = true;
      }
      watch(fd, EPOLL_CTL_ADD, EPOLLIN, made.release());
    }
  }

  // False: the peer is gone.
  bool step(peer& p) {
    if (p.shaking_hands) {
      const int done = SSL_do_handshake(p.tls);
      if (done == 1) {
        p.shaking_hands = false;
      } else {
        const int why = SSL_get_error(p.tls, done);
        ERR_clear_error();
        return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
      }
    }
    if (!p.out.empty() && !write(p, {})) return false;
    for (;;) {
      const std::size_t left = p.in.size();
      std::memcpy(buffer_.data(), p.in.data(), left);
      const long got = read(p, buffer_.data() + left, buffer_.size() - left);
      if (got == 0) return false;
      if (got < 0) return true;
      const std::size_t filled = left + static_cast<std::size_t>(got);
      const long used = answer(filled);
      if (used < 0) return false;
      p.in.assign(buffer_.data() + used, filled - static_cast<std::size_t>(used));
      if (!replies_.empty() && !write(p, replies_)) return false;
      if (p.tls == nullptr && filled < buffer_.size()) return true;
    }
  }

  // 0: gone; -1: nothing to read now.
  static long read(peer& p, char* to, std::size_t room) {
    if (p.tls == nullptr) {
      const ssize_t got = recv(p.fd, to, room, 0);
      return got < 0 && errno != EAGAIN ? 0 : got;
    }
    const int got = SSL_read(p.tls, to, static_cast<int>(room));
    if (got > 0) return got;
    const int why = SSL_get_error(p.tls, got);
    ERR_clear_error();
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? -1 : 0;
  }

  bool write(peer& p, std::string_view more) {
    const bool waiting = !p.out.empty();
    if (waiting) {
      p.out.append(more);
      more = std::string_view{p.out}.substr(p.out_begin);
    }
    while (!more.empty()) {
      long sent = 0;
      if (p.tls == nullptr) {
        sent = send(p.fd, more.data(), more.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return false;
      } else {
        sent = SSL_write(p.tls, more.data(), static_cast<int>(more.size()));
        if (sent <= 0) {
          const int why = SSL_get_error(p.tls, static_cast<int>(sent));
          ERR_clear_error();
          if (why != SSL_ERROR_WANT_WRITE && why != SSL_ERROR_WANT_READ) return false;
        }
      }
      if (sent <= 0) break;
      more.remove_prefix(static_cast<std::size_t>(sent));
    }
    if (!waiting || more.empty()) {
      p.out.assign(more);
      p.out_begin = 0;
    } else {
      p.out_begin = p.out.size() - more.size();
    }
    if (p.waits_for_room != !p.out.empty()) {
      p.waits_for_room = !p.out.empty();
      watch(p.fd, EPOLL_CTL_MOD, p.waits_for_room ? EPOLLIN | EPOLLOUT : EPOLLIN, &p);
    }
    return true;
  }

  void reply(std::string_view id, const std::string& body) {
    const std::size_t size = id.size() + body.size();
    replies_ += '\x30';
    if (size >= 128) replies_ += '\x81';
    replies_ += static_cast<char>(size);
    replies_.append(id).append(body);
  }

  // Answers every complete PDU of the buffer: how many bytes those are; -1: unbind, or no LDAP.
  long answer(std::size_t filled) {
    replies_.clear();
    std::size_t at = 0;
    for (;;) {
      const auto* p = reinterpret_cast<const unsigned char*>(buffer_.data()) + at;
      const std::size_t left = filled - at;
      if (left < 2) break;
      std::size_t header = 2, size = p[1];
      if (p[0] != 0x30) return -1;
      if (size >= 0x80) {
        const std::size_t digits = size & 0x7f;
        if (digits > 4) return -1;
        if (left < 2 + digits) break;
        size = 0;
        for (std::size_t i = 0; i < digits; ++i) size = size << 8 | p[2 + i];
        header += digits;
      }
      if (header + size > buffer_.size()) return -1;
      if (left < header + size) break;
      const std::string_view id{buffer_.data() + at + header, 2 + std::size_t{p[header + 1]}};
      if (!answer_one(id, {buffer_.data() + at + header + id.size(), size - id.size()})) return -1;
      at += header + size;
    }
    return static_cast<long>(at);
  }

  // The base of a search is not empty, as in those by which clients look whether a server lives, and its filter is a
  // presence: "(objectClass=*)".
  static bool wants_everything(std::string_view op) {
    const auto length = static_cast<unsigned char>(op.size() > 1 ? op[1] : 0);
    const std::size_t base = 2 + (length < 0x80 ? 0u : length & 0x7fu);
    if (op.size() < base + 2 || op[base] != '\x04' || op[base + 1] == 0) return false;
    // Scope, aliases, two limits of whatever length, and whether types alone are wanted.
    std::size_t at = base;
    for (int i = 0; i < 6 && at + 1 < op.size(); ++i) at += 2 + static_cast<unsigned char>(op[at + 1]);
    return at < op.size() && op[at] == '\x87';
  }

  bool answer_one(std::string_view id, std::string_view op) {
    if (op.empty()) return false;
    const auto tag = static_cast<unsigned char>(op.front());
    switch (tag) {
      case 0x63:  // search
        for (int i = 0, count = wants_everything(op) ? entries_ : 1; i < count; ++i) reply(id, entry_);
        reply(id, done_);
        return true;
      case 0x42:  // unbind
        return false;
      case 0x50:  // abandon
        return true;
      case 0x4a:  // delete
        reply(id, result_body('\x6b'));
        return true;
      default:  // every other request's answer has the next tag
        reply(id, result_body(static_cast<char>(tag + 1)));
        return true;
    }
  }

  SSL_CTX* context_;
  int entries_;
  std::string entry_, done_;
  peer plain_listener_, tls_listener_;
  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  std::vector<char> buffer_ = std::vector<char>(256 * 1024);
  std::string replies_;
};

int listening_socket(int& port, int backlog) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, backlog) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("null_responder");
    std::exit(1);
  }
  port = ntohs(address.sin_port);
  return fd;
}

SSL_CTX* tls_context(const arguments& given) {
  if (given.text("cert").empty()) return nullptr;
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context, given.text("cert").c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, given.text("key").c_str(), SSL_FILETYPE_PEM) != 1) {
    ERR_print_errors_fp(stderr);
    std::exit(1);
  }
  SSL_CTX_set_mode(context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  return context;
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const arguments given(argc, argv);
  SSL_CTX* context = tls_context(given);
  responder server(given.number("entries", 1), context);
  int port = 0, tls_port = 0;
  const int backlog = given.number("backlog", 4096);
  server.listen_on(listening_socket(port, backlog), false);
  if (context != nullptr) server.listen_on(listening_socket(tls_port, backlog), true);
  std::printf("%d %d\n", port, tls_port);
  std::fflush(stdout);
  server.serve();
}
