// Who is served by this process, as the actors of the runtime see it.
#pragma once
#include "understudy/messages/snapshot.hpp"

namespace understudy {

/// Thread-safe, never blocks for long.
class clients_port {
 public:
  virtual ~clients_port() = default;
  /// Sets what it knows of: `client_listeners` and `clients`, or `node_clients` and `more_node_clients`.
  virtual void fill(runtime_snapshot& into) = 0;
};

}  // namespace understudy
