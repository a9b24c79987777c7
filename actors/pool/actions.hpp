// What a pool decides to do: plain values that its actor carries out in order.
#pragma once
#include "understudy/actors/pool/wait_queue.hpp"
#include "understudy/actors/ports/socket_permits.hpp"
#include "understudy/config/settings.hpp"
#include "understudy/messages/event.hpp"

namespace understudy::internal::pool_action {

/// Open a connection with that number; give its load meter to pool_state::attach().
struct open {
  connection_id id = 0;
  connection_kind kind = connection_kind::pooled;
  socket_permit permit = nullptr;  ///< to be held until its socket is closed
};
/// The waiter's operation goes to that connection.
struct dispatch {
  waiter_id waiter = 0;
  connection_id to = 0;
};
/// The waiter gets that connection for itself.
struct grant {
  waiter_id waiter = 0;
  lease_id lease = 0;
  connection_id connection = 0;
};
/// The waiter is answered with a failure.
struct refuse {
  waiter_id waiter = 0;
  failure_ptr why;
};
/// The waiter goes back to the breaker, to be sent elsewhere. `counted`: that is one of its attempts.
struct redispatch {
  waiter_id waiter = 0;
  failure_ptr cause;
  bool counted = true;
};
/// Tell the connection that its lease ended.
struct reset {
  connection_id id = 0;
  lease_id lease = 0;
};
/// Tell the connection to finish what runs and close.
struct drain {
  connection_id id = 0;
};
/// Tell the connection to close now.
struct close {
  connection_id id = 0;
};
/// The connection has left the pool: tell it that nothing more will come, and let go of it.
struct forget {
  connection_id id = 0;
};
/// Read from the connection before that deadline, then call pool_state::checked().
struct check {
  connection_id id = 0;
  time_point deadline{};
  bool aside = false;  ///< nothing new goes there meanwhile
};
/// The lease ended: its holder need not be watched any more.
struct unwatch {
  lease_id lease = 0;
};
/// A round of connects failed, and no open connection has answered since. `none_left`: there is none.
struct report {
  failure_class what = failure_class::transport;
  failure_ptr cause;
  bool none_left = false;
};
/// A connection ended with requests, the last of them handed to it then: after an earlier one had ended, although both
/// had been open together.
struct lost_requests {
  failure_ptr cause;
  time_point sent_at{};
};
/// Somebody waited for a connection in vain, because none was ready (or, later: one is ready now).
struct readiness {
  bool ready = false;
  bool told = true;  ///< that none was
};
/// Somebody waits for a socket: the monitor is to give back the one that a probe keeps.
struct ask_for_probe_slot {};
/// A line for the log.
struct note {
  log_level level = log_level::info;
  std::string text;
  std::string_view component = "pool";  ///< or "leak"
};
/// The drain is over; `clean`: nothing had to be cut off.
struct drained {
  bool clean = true;
};

using any = std::variant<open, dispatch, grant, refuse, redispatch, reset, drain, close, forget, check, unwatch, report,
                         lost_requests, readiness, ask_for_probe_slot, note, drained>;

}  // namespace understudy::internal::pool_action
