// A TCP proxy inside the test that delays, loses, slices and cuts what passes through it.
#pragma once
#include "support/tcp_listener.hpp"

#include <atomic>
#include <set>
#include <string>

namespace understudy::test {

/// What happens to those who connect to a gate.
enum class newcomers : std::uint8_t {
  forward,
  refuse,  ///< the connect is refused
  ignore,  ///< the connect is not answered
  mute,    ///< accepted, then nothing: not forwarded, not read
  reset,   ///< accepted, then reset
  close,   ///< accepted, then closed
};

/// What a gate does to bytes. Applies to open links too, from the moment it is set; to both directions.
struct gate_faults {
  std::chrono::milliseconds delay{0};
  /// Bytes and ends vanish, as in a broken network. A link that lost something stays dark for ever.
  bool drop = false;
  /// Bytes and ends wait, and go on when this is lifted.
  bool hold = false;
  std::size_t bytes_per_second = 0;  ///< 0: no limit
  std::size_t slice = 0;             ///< bytes forwarded at a time; 0: as much as comes
  newcomers arriving = newcomers::forward;
  std::size_t most_links = 0;  ///< whoever comes when so many are open is accepted, then closed; 0: no limit
};

class gate_link;

/// Listens on a port of its own, of 127.0.0.1 or another loopback address, and forwards to `target` on 127.0.0.1, on a
/// thread of its own. All members are
/// thread-safe. The kernel acknowledges for the gate: lost packets (TCP_USER_TIMEOUT, keepalive) cannot be shown with
/// it.
class fault_gate {
 public:
  explicit fault_gate(std::uint16_t target, const std::string& address = "127.0.0.1");
  ~fault_gate();
  fault_gate(const fault_gate&) = delete;
  fault_gate& operator=(const fault_gate&) = delete;

  std::uint16_t port() const noexcept { return listener_->port(); }
  std::string url() const;  ///< ldap://127.0.0.1:port

  void set(const gate_faults& faults);
  /// Forwards faithfully again.
  void heal() { set({}); }
  /// Ends every link with FIN to both sides.
  void cut();
  /// Ends every link with RST to both sides.
  void reset();

  std::uint64_t accepted() const { return accepted_; }
  std::uint64_t open() const { return open_; }
  /// Counted just after they were sent.
  std::uint64_t bytes_to_server() const { return to_server_; }
  std::uint64_t bytes_to_client() const { return to_client_; }
  /// True when these bytes came from a client (within the first MiB that clients sent).
  bool saw(const std::string& bytes) const;

 private:
  friend class gate_link;

  void admit(int fd);
  void ended(const std::shared_ptr<gate_link>& link);
  void saw_client(std::string_view bytes);
  void for_each(const std::function<void(gate_link&)>& act);

  const std::uint16_t target_;
  const reserved_port port_;
  std::atomic<std::uint64_t> accepted_{0}, open_{0}, to_server_{0}, to_client_{0};
  mutable std::mutex guard_;
  std::string seen_;
  event_loop loop_;
  // On the loop's thread:
  gate_faults faults_;
  std::set<std::shared_ptr<gate_link>> links_;
  std::unique_ptr<tcp_listener> listener_;
};

}  // namespace understudy::test
