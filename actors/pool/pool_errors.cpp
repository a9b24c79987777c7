// The words of a pool's failures.
#include "understudy/actors/pool/pool_errors.hpp"
#include "understudy/config/text.hpp"

namespace understudy::internal {
namespace {

failure about(const pool_situation& at, failure f) {
  f.where = stage::queue;
  f.server = at.policy.server_name;
  f.pool = at.now;
  if (at.last.what) {
    f.cause = std::string{to_string(at.last.what->code)} + ": " + at.last.what->message;
    f.cause_code = at.last.what->code;
    f.cause_at = at.last.at;
  }
  return f;
}

failure_ptr pool_failure(const pool_situation& at, errc code, std::string message) {
  failure f;
  f.code = code;
  f.message = std::move(message);
  return make_failure(about(at, std::move(f)));
}

/// What would help, seen from how full the pool is.
std::string advice(const pool_situation& at) {
  if (at.now.size < at.policy.max) return "no further connection could be opened in time, see the last cause";
  return "raise pool.max_connections (" + std::to_string(at.policy.max) + ") or lower the load";
}

}  // namespace

std::string time_taken(duration span) { return config::format_span(std::chrono::floor<milliseconds>(span)); }

failure_ptr pool_timed_out(const pool_situation& at, duration waited, bool held_up) {
  if (held_up) {
    failure f;
    f.code = errc::pool_timeout;
    f.message = "no connection to " + at.policy.server_name + " was ready within " + time_taken(waited) +
                ": those that are being opened wait for the service's password or for a name, and have asked nothing "
                "of the server";
    f = about(at, std::move(f));
    // Whatever ended connections before: this is no fault of the server's.
    f.cause = "the service's password, or a look-up of a name, was waited for";
    f.cause_code = errc::local_resources;
    f.cause_at.reset();
    return make_failure(std::move(f));
  }
  if (at.now.connecting > 0 && at.now.connecting == at.now.size)
    return pool_failure(
        at, errc::pool_timeout,
        "no connection to " + at.policy.server_name + " was ready within " + time_taken(waited) + ": " +
            std::to_string(at.now.connecting) +
            " are being opened and still wait for an answer of the server, for a password or for a name; "
            "a health check tells in which step");
  return pool_failure(
      at, errc::pool_timeout,
      "no connection to " + at.policy.server_name + " became free within " + time_taken(waited) + "; " + advice(at));
}

failure_ptr pool_is_exhausted(const pool_situation& at) {
  return pool_failure(
      at, errc::pool_exhausted,
      "every connection to " + at.policy.server_name + " is taken and the caller does not wait; " + advice(at));
}

failure_ptr pool_queue_is_full(const pool_situation& at) {
  return pool_failure(at, errc::queue_full,
                      std::to_string(at.policy.max_waiters) + " wait for a connection to " + at.policy.server_name +
                          " already (pool.max_waiters); " + advice(at));
}

failure_ptr pool_is_draining(const pool_situation& at) {
  return pool_failure(at, errc::draining, at.policy.server_name + " is being drained and takes nothing new");
}

failure_ptr pool_breaker_opened(const pool_situation& at) {
  return pool_failure(at, errc::breaker_open,
                      "the circuit breaker of " + at.policy.server_name + " opened while the request waited");
}

failure_ptr pool_wait_cancelled(const pool_situation& at) {
  return make_failure(about(at, caller_cancelled(stage::queue, "it waited for a connection, nothing was sent")));
}

failure_ptr pool_lease_unknown(const pool_situation& at, lease_id id) {
  return pool_failure(at, errc::invalid_lease,
                      "lease " + std::to_string(id) + " is not held from " + at.policy.server_name +
                          ": it was returned before, taken back, or never granted there");
}

failure_ptr pool_is_lost(const pool_situation& at, const failure& cause) {
  failure f = *pool_connect_failed(at, cause);
  f.message =
      "the connections to " + at.policy.server_name +
      " were lost and none is made again (recovery.auto_reconnect is false); call connect(). What ended them: " +
      cause.message;
  return make_failure(std::move(f));
}

failure_ptr pool_connect_failed(const pool_situation& at, const failure& connect) {
  failure f = connect;
  if (f.server.empty()) f.server = at.policy.server_name;
  f.pool = at.now;
  if (!f.cause_at) f.cause_at = at.last.at;
  return make_failure(std::move(f));
}

}  // namespace understudy::internal
