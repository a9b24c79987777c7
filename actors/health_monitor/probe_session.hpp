// One probe after the other of one server: a state machine from slot to connection to check to report.
#pragma once
#include "understudy/messages/event.hpp"

namespace understudy::internal {

/// What the session wants done.
struct probe_action {
  enum class kind : std::uint8_t {
    ask_slot,  ///< of the pool: one socket of `max_connections`
    give_slot_back,
    open,        ///< a new connection
    check,       ///< the connection, before the deadline
    check_pool,  ///< no socket is free or no new connection to be had: the pool's own connections are the evidence
    ask_steps,   ///< the connection's status: how long each step took
    close,       ///< the connection
    forget,      ///< the closed connection: nothing will be sent to it any more
    report,      ///< see outcome()
    lost,        ///< the standing connection ended by itself
  };
  kind what = kind::report;
  time_point deadline{};   ///< of check and check_pool
  std::uint64_t turn = 0;  ///< of check, check_pool and ask_steps: comes back with the answer
};

/// What one probe found.
struct probe_outcome {
  probe_report report;
  bool conclusive = true;  ///< false: nothing was learnt (no socket was free and no pooled connection could be checked)
};

/// How to probe.
struct probe_mode {
  bool keep = false;     ///< keep the connection when it is good, and check it the next time
  bool use_slot = true;  ///< false: only ask the pool, its sockets are too few to take one
  bool hurried = false;  ///< the deadline leaves little time, and there is none beyond it
  /// Nothing can replace the server: it lives when it answered anything while this probe connected.
  bool content = false;
  /// Who asked waits until the deadline: where connects of the pool are to tell, their end is waited for.
  bool patient = false;
  duration pool_time = seconds{5};  ///< for open connections to answer, after a connect that hung and was not hurried
};

/// What a connection that is not ready yet waits for.
struct probe_wait {
  enum class reason : std::uint8_t {
    server,      ///< an answer
    ours,        ///< a name look-up; or it waited noticeably before, for that or for the bind lockout guard
    credential,  ///< the bind lockout guard, while another server's bind is out
    own_bind,    ///< the bind lockout guard, while its own server leaves another connection's bind unanswered
  };
  reason what = reason::server;
  duration owed{};  ///< of own_bind: for how long the server has said nothing
};

/// At most one connection and one probe at a time; time and answers come in, actions go out in the order to take them.
/// A standing connection that is lost during its check says nothing yet: a full probe follows in the same run.
class probe_session {
 public:
  using actions = std::vector<probe_action>;

  probe_session(server_id server, std::string name) : server_(server), name_(std::move(name)) {}

  /// Starts a probe; ignored while one is running.
  actions begin(time_point now, time_point deadline, const probe_mode& mode);
  /// The running probe has to conclude by `deadline`; nothing when it would anyway.
  actions hurry(time_point now, time_point deadline, bool hurried);
  actions on_slot(bool granted, time_point now);
  actions on_ready(time_point now);
  /// Never became ready, or ended; `now` is of the event.
  actions on_ended(const failure_ptr& cause, time_point now);
  /// It takes nothing new.
  actions on_draining();
  actions on_check(std::uint64_t turn, const probe_report& report, time_point now);
  actions on_pool(std::uint64_t turn, const pool_health& health, time_point now);
  /// The steps so far; empty when they could not be learnt.
  actions on_steps(std::uint64_t turn, const std::vector<probe_step>& steps);
  /// Concludes what is overdue. `waits_for`: of its connection, while that is being set up.
  actions on_time(time_point now, const probe_wait& waits_for);
  /// Closes everything; a running probe is not reported.
  actions stop();

  bool running() const noexcept { return running_; }
  /// When on_time() has something to do, at the latest by when the probe ends; time_point::max() when none runs.
  time_point deadline() const noexcept;
  /// True when nothing is held: no connection, no slot, nothing asked for.
  bool idle() const noexcept { return state_ == state::idle && !running_; }
  bool standing() const noexcept { return state_ == state::standing; }
  /// Of the probe whose report was just asked for.
  const probe_outcome& outcome() const noexcept { return outcome_; }

 private:
  enum class state : std::uint8_t {
    idle,
    waiting_slot,
    connecting,
    checking,
    checking_pool,
    waiting_pool,  ///< its connects were under way: it is asked again at look_again_
    collecting,
    standing,
    closing
  };
  using kind = probe_action::kind;

  void start(time_point now, actions& out);
  void ask_pool(time_point now, actions& out);
  bool ask_pool_instead(actions& out);
  void close(actions& out);
  void open(actions& out);
  void check(time_point now, actions& out);
  void time_out_connect(time_point now, const probe_wait& waits_for, actions& out);
  void drop_connection(actions& out);
  void conclude(bool ok, failure_ptr error, time_point now, actions& out);
  void say_nothing(std::string why, actions& out);
  void finish(actions& out);
  void time_out_check(time_point now, actions& out);
  failure_ptr timed_out(std::optional<stage> where, errc code) const;

  server_id server_;
  std::string name_;
  state state_ = state::idle;
  bool running_ = false;
  bool again_ = false;       ///< start when the old connection has closed
  bool light_ = false;       ///< the standing connection is checked
  bool connection_ = false;  ///< there is one, closed or not
  bool ended_ = false;       ///< … and it is closed
  bool slot_ = false;
  bool told_to_close_ = false;
  bool connects_ = false;  ///< the running probe has not been connected yet
  bool hangs_ = false;     ///< … and its deadline has passed
  probe_mode mode_;
  time_point started_{}, deadline_{}, look_again_{};
  std::uint64_t turn_ = 0;
  std::vector<probe_step> check_steps_;
  failure_ptr cannot_connect_;  ///< why the pool's connections are asked
  probe_outcome outcome_;
};

}  // namespace understudy::internal
