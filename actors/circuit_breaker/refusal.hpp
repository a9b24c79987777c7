// What a caller is told when no server can take a request: every server, why not, since when, and when to come again.
#pragma once
#include "understudy/actors/circuit_breaker/breaker.hpp"

namespace understudy::internal {

/// One server that could not take a request.
struct refused_server {
  std::string name;         ///< "host:port"
  bool unsuitable = false;  ///< read_only, and the request is a write
  breaker_state state = breaker_state::open;
  breaker_cause cause;
  std::optional<milliseconds> retry_after;
};

/// breaker_open when some server that could take the request is held open; otherwise no_server. `last`: why the request
/// was redispatched, or null.
failure refusal(const std::vector<refused_server>& servers, const failure_ptr& last);

}  // namespace understudy::internal
