// Anything that may happen to a pool, in any order, and what must hold all the while.
#pragma once
#include "pool/pool_harness.hpp"
#include "support/property.hpp"

#include <array>

namespace understudy::test {

using namespace internal;

/// What happens to a pool; `a` and `b` are the numbers of a command.
enum class pool_event : std::uint8_t {
  ask_shared,   ///< an operation; `a`: how patient
  ask_lease,    ///< `b`: with a cancel token, willing to wait
  ask_bind,     ///< for a user's bind
  complete,     ///< connection `a` answers `b` + 1 operations
  connect,      ///< connecting `a` becomes ready
  refuse,       ///< connecting `a` fails; `b`: how
  reset,        ///< returned connection `a` is itself again
  end,          ///< `a`, told to close, does so
  die,          ///< ready or leased `a` ends
  say_goodbye,  ///< `a` takes nothing new: its server said so
  cross,        ///< `a`, already told to go, says that it is ready: the messages crossed
  fall_silent,  ///< `a` is not heard of for long
  claim,        ///< the grant of lease `a` arrives
  give_back,    ///< lease `a` is returned
  holder_dies,  ///< … or its holder ends
  cancel,       ///< caller `a` gives up; `b`: the message gets lost on the way
  breaker,      ///< the breaker is in state `a`
  take_probe,   ///< the monitor takes a socket …
  give_probe,   ///< … and gives it back
  cleanup,
  checked,  ///< a validation ends; `b`: well
  restart,  ///< a defect: the pool is made anew in place
  pass,     ///< time
};
/// What counterexamples call them.
const std::array<const char*, 23>& names(pool_event);
using pool_command = command_of<pool_event>;

/// The pool, and how the story ends.
struct pool_shape {
  int min = 1, max = 2, in_flight = 2, waiters = 10, binds = 1, connecting = 2;
  bool preload = false, standby = false, lifetime = false, validate = false, failover = false;
  int idle_time = 5, seed = 1;
  bool drains = false;  ///< it is drained in the end; otherwise all faults end

  pool_policy policy() const;
};
std::ostream& operator<<(std::ostream& out, const pool_shape& s);

rc::Gen<std::vector<pool_command>> pool_commands();
rc::Gen<pool_shape> pool_shapes();

/// What ensures a promise, switched off: in what the pool is told, what it says, or what it is configured with.
struct pool_weakness {
  std::function<void(pool_policy&)> policy;
  std::function<void(acquire_request&)> admission;
  std::function<void(pool_harness&, std::vector<pool_action::any>&)> actions;
  bool deaths_unheard = false;       ///< of holders of leases
  bool probes_unheard = false;       ///< sockets that they take
  bool completions_unheard = false;  ///< although asked for
  bool answers_unheard = false;      ///< of connections that are asked whether the server is well
};

/// Throws broken_promise when one does not hold.
class pool_storm {
 public:
  explicit pool_storm(const pool_shape& shape, pool_weakness weakness = {});
  void run(const std::vector<pool_command>& commands);

 private:
  using phase = pool_harness::phase;

  // What happens (pool_storm.cpp).
  void step(const pool_command& c);
  bool step_of_connection(const pool_command& c);
  bool step_of_lease(const pool_command& c);
  void ask(const pool_command& c, acquire_kind wanted);
  std::vector<connection_id> all_in(std::initializer_list<phase> phases) const;
  std::optional<connection_id> pick(int a, std::initializer_list<phase> phases) const;
  void complete(connection_id id, std::uint64_t count);
  void end_lease(lease_id id, bool holder_died);
  void cancel(const pool_command& c);

  // What must hold.
  void look_at(const pool_action::any& action);
  void look_at_end_of(connection_id id);
  void look_at_report(const pool_action::report& told);
  void look_at_outcome(waiter_id t);
  void hold_promises();
  void hold_counters(const pool_snapshot& s);
  void hold_progress();
  void come_to_rest();
  void calm_down();
  void serve_again();
  void drain();

  pool_shape shape_;
  pool_policy policy_;  ///< as promised: not weakened
  pool_weakness weak_;
  pool_harness h_;
  std::map<lease_id, bool> held_;  ///< by somebody; claimed?
  std::vector<cancel_token_ptr> tokens_;
  std::uint32_t probes_ = 0;
  pool_snapshot before_;  ///< as last seen
  bool restarting_ = false, draining_ = false;
  std::optional<bool> said_well_;  ///< by the connection whose check ends just now
};

}  // namespace understudy::test
