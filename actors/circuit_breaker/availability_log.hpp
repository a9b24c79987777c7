// What the log says of the servers' availability: connected, serving, lost, held back, serving again.
#pragma once
#include "understudy/actors/circuit_breaker/breaker.hpp"
#include "understudy/actors/ports/ports.hpp"

#include <vector>

namespace understudy::internal {

/// What the log needs to know of one server.
struct server_availability {
  server_id id = 0;
  std::string name;  ///< "host:port"
  int priority = 1;
  breaker_state state = breaker_state::closed;
  bool serving = false;  ///< a request sent now could go there
  failure_ptr cause;     ///< of the latest failure that counted
  std::optional<milliseconds> retry_after;
  time_point held_until = time_point::min();  ///< the end of its hold-down, also a past one
};

/// Turns changes of state into lines for people, one for each thing that an operator would want to know: repeated
/// attempts at a server that stays down are told at level debug alone. Pure: time comes in, lines come out.
class availability_log {
 public:
  struct line {
    log_level level = log_level::info;
    std::string text;
    log_port::fields more;
  };

  /// The server answered. True when that is news: update() is to be called.
  bool note_liveness(server_id server);
  /// A failure that counts against the server, which may yet stay in use: told after a second if it did, from then on
  /// once a minute, so that a firewall that cuts idle connections does not write a line for each.
  void note_failure(server_id server, const failure_ptr& cause, time_point now);
  /// How things are now, after each change; `automatic`: failover.auto_failback.
  void update(const std::vector<server_availability>& servers, bool automatic, const moment& at);

  /// When update() has something to say without a change; time_point::max(): never.
  time_point next_event() const noexcept { return next_; }
  std::vector<line> take_lines();

 private:
  struct known_server {
    breaker_state state = breaker_state::closed;
    bool answered = false;   ///< since it is known
    bool connected = false;  ///< … and that was told
    bool down = false;       ///< told as lost, and not as back
    bool served = false;     ///< was told as serving at some time
    std::uint32_t failures = 0;
    failure_ptr last_failure;
    time_point tell_at{}, quiet_until{};
  };

  void forget_others(const std::vector<server_availability>& servers);
  void tell_state(const server_availability& s, known_server& k);
  void tell_failures(const server_availability& s, known_server& k, time_point now);
  void tell_serving(const std::vector<server_availability>& servers);
  void tell_returned(const server_availability& s, known_server& k, std::optional<int> level, bool automatic,
                     const moment& at);
  void say(log_level level, std::string text, log_port::fields more = {});
  void wake_by(time_point t);

  std::map<server_id, known_server> known_;
  std::vector<std::pair<server_id, std::string>> serving_;  ///< as told
  std::vector<std::pair<server_id, std::string>> left_;     ///< served before, while nobody has taken over yet
  std::vector<line> lines_;
  time_point next_ = time_point::max();
};

}  // namespace understudy::internal
