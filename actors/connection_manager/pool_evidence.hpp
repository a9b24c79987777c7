// What a pool has noted of its server and the breaker has not been told yet.
#pragma once
#include "understudy/messages/snapshot.hpp"

namespace understudy::internal {

/// Puts the pool's counters into `server`, which the breaker described: a pool that has had a connection, or has tried
/// in vain to have one, knows a server that the breaker has heard nothing from. Of which only failures are known is not
/// healthy.
void add_pool_evidence(server_snapshot& server, const pool_snapshot& pool);

}  // namespace understudy::internal
