// What a pool says to those whom it cannot serve: each failure with the pool's counts, the last cause and what to do.
#pragma once
#include "understudy/actors/pool/policy.hpp"

namespace understudy::internal {

/// The last thing that went wrong with a pool's connections.
struct pool_cause {
  failure_ptr what;
  wall_time at{};
};

/// Everything that such a failure mentions.
struct pool_situation {
  const pool_policy& policy;
  pool_counts now;
  const pool_cause& last;
};

/// Nothing became free within `waited`. `held_up`: all connections that are being opened wait for something of ours.
failure_ptr pool_timed_out(const pool_situation& at, duration waited, bool held_up);
/// Nothing is free and the caller does not wait.
failure_ptr pool_is_exhausted(const pool_situation& at);
/// Too many wait already.
failure_ptr pool_queue_is_full(const pool_situation& at);
/// The server is being drained.
failure_ptr pool_is_draining(const pool_situation& at);
/// The server's breaker opened (or an operator suspended the server) while the caller waited.
failure_ptr pool_breaker_opened(const pool_situation& at);
/// The caller gave up while it waited.
failure_ptr pool_wait_cancelled(const pool_situation& at);
/// That lease is not (any more) held from this pool.
failure_ptr pool_lease_unknown(const pool_situation& at, lease_id id);
/// Without auto_reconnect, after the last connection was lost and until connect() is called.
failure_ptr pool_is_lost(const pool_situation& at, const failure& cause);
/// No connection could be opened: the failure of the connect itself, with the pool's counts.
failure_ptr pool_connect_failed(const pool_situation& at, const failure& connect);

/// How long something has taken, to the millisecond.
std::string time_taken(duration span);

}  // namespace understudy::internal
