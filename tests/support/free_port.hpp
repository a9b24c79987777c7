// TCP ports on 127.0.0.1 that nobody else uses or will get.
#pragma once
#include <cstdint>

namespace understudy::test {

/// A TCP port of 127.0.0.1 that is free and stays ours while this lives, also while nothing listens on it: other test
/// programs skip it, and it lies outside the range from which the kernel takes ports for outgoing connections (so that
/// a connect to a stopped server is refused rather than connected to itself).
class reserved_port {
 public:
  /// Throws std::runtime_error when there is none.
  reserved_port();
  ~reserved_port();
  reserved_port(reserved_port&& other) noexcept;
  reserved_port& operator=(reserved_port&& other) noexcept;

  std::uint16_t number() const noexcept { return number_; }

 private:
  std::uint16_t number_ = 0;
  int claim_ = -1;
};

/// A reserved port's number, reserved until the program ends.
std::uint16_t free_port();

/// True when `fd` is a reservation: leak checks do not count those.
bool is_port_reservation(int fd);

}  // namespace understudy::test
