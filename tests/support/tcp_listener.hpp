// A listening TCP socket on 127.0.0.1 that can refuse, hold back and ignore newcomers.
#pragma once
#include "support/event_loop.hpp"
#include "support/free_port.hpp"

namespace understudy::test {

/// Closes `fd` so that the peer sees a reset (RST) instead of an end (FIN).
void close_with_reset(int fd);

/// From now on the kernel drops every packet that comes for `fd`, as if it had been lost on its way: nothing is
/// acknowledged any more.
void lose_packets_to(int fd);

/// Listens on a reserved port; used on its loop's thread, but for port().
class tcp_listener {
 public:
  using accepted = std::function<void(int fd)>;

  /// Starts closed. `told` gets each new connection, non-blocking and without Nagle's delay.
  tcp_listener(event_loop& loop, accepted told);
  ~tcp_listener();
  tcp_listener(const tcp_listener&) = delete;
  tcp_listener& operator=(const tcp_listener&) = delete;

  std::uint16_t port() const noexcept { return port_.number(); }
  /// Takes connections again, those that waited too.
  void open();
  /// Connects are refused. Connections that nobody accepted yet are reset.
  void close();
  /// Connects succeed (the kernel's doing), but nobody accepts them.
  void hold();
  /// Connects are not answered at all: the backlog is full, the kernel drops what comes.
  void ignore();

 private:
  void listen_on(int backlog);
  void accept_all();
  void fill_backlog();
  void remove_fillers();

  event_loop& loop_;
  accepted told_;
  reserved_port port_;
  int fd_ = -1;
  std::map<std::uint16_t, int> fillers_;  ///< our own connections that fill the backlog, by their port
};

}  // namespace understudy::test
