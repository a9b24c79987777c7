// One connection through a fault gate: two sockets, and what is on its way between them.
#pragma once
#include "support/fault_gate.hpp"

#include <array>
#include <deque>

namespace understudy::test {

/// Lives on the gate's thread.
class gate_link : public std::enable_shared_from_this<gate_link> {
 public:
  gate_link(fault_gate& gate, int client);
  ~gate_link();
  gate_link(const gate_link&) = delete;
  gate_link& operator=(const gate_link&) = delete;

  /// Connects to the target and begins to forward.
  void start();
  /// Goes nowhere: what the client sends vanishes.
  void swallow();
  /// Looks at what waits again: faults have changed.
  void wake();
  /// Closes both sides.
  void end(bool with_reset);

 private:
  using time_point = std::chrono::steady_clock::time_point;
  struct piece {
    time_point due;
    std::string bytes;  ///< empty: the end of the stream
    std::size_t sent = 0;
  };
  /// One socket and what is on its way to it.
  struct side {
    int fd = -1;
    std::deque<piece> out;
    std::size_t waiting = 0;    ///< bytes in `out`
    time_point next_send{};     ///< by the throttle
    bool readable = true;       ///< its end has not come yet
    bool blocked = false;       ///< the kernel takes no more
    bool timer = false;         ///< a timer will look again
    std::uint32_t watched = 0;  ///< epoll events asked for
  };

  void on_events(std::size_t from, std::uint32_t events);
  bool read_from(std::size_t from);
  void take(std::size_t from, std::string_view bytes);
  void forward(std::size_t to);
  bool send_piece(side& to, piece& next);
  void later(std::size_t to, time_point when);
  void watch(std::size_t which);

  fault_gate& gate_;
  std::array<side, 2> sides_;  ///< client, server
  bool dark_ = false;          ///< something was lost: nothing passes any more
};

}  // namespace understudy::test
