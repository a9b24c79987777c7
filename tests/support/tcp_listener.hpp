// A listening TCP socket on loopback that can refuse, hold back and ignore newcomers.
#pragma once
#include "support/event_loop.hpp"
#include "support/free_port.hpp"

#include <optional>
#include <string>

namespace understudy::test {

/// Closes `fd` so that the peer sees a reset (RST) instead of an end (FIN).
void close_with_reset(int fd);

/// From now on the kernel drops every packet that comes for `fd`, as if it had been lost on its way: nothing is
/// acknowledged any more.
void lose_packets_to(int fd);

/// Listens on a reserved port of 127.0.0.1, or on a given one of another loopback address; used on its loop's thread,
/// but for port().
class tcp_listener {
 public:
  using accepted = std::function<void(int fd)>;

  /// Starts closed. `told` gets each new connection, non-blocking and without Nagle's delay.
  tcp_listener(event_loop& loop, accepted told);
  /// On `address` (127.x.y.z) and `port`, which the caller has reserved.
  tcp_listener(event_loop& loop, accepted told, const std::string& address, std::uint16_t port);
  ~tcp_listener();
  tcp_listener(const tcp_listener&) = delete;
  tcp_listener& operator=(const tcp_listener&) = delete;

  std::uint16_t port() const noexcept { return reserved_ ? reserved_->number() : given_port_; }
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
  std::optional<reserved_port> reserved_;
  std::uint16_t given_port_ = 0;
  std::uint32_t address_;  ///< in network order
  int fd_ = -1;
  std::map<std::uint16_t, int> fillers_;  ///< our own connections that fill the backlog, by their port
};

}  // namespace understudy::test
