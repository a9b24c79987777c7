// What stands behind a lease.
#pragma once
#include "understudy/messages/actors.hpp"
#include "understudy/runtime/lease.hpp"

#include <mutex>

namespace understudy {

using namespace internal;

/// The holder's side of a lease. The connection is let go when it is given back or the runtime stops.
struct lease::state {
  std::shared_ptr<runtime_client> client;
  lease_id id = 0;
  server_id server = 0;
  std::string server_name;
  std::mutex mutex;
  caf::strong_actor_ptr connection;

  /// The connection, or null when the lease ended, and in a forked process.
  caf::strong_actor_ptr target();
  /// Ends the lease; false when that was done already.
  bool take() {
    caf::strong_actor_ptr dropped;
    std::lock_guard guard{mutex};
    dropped.swap(connection);
    return dropped != nullptr;
  }
};

}  // namespace understudy
