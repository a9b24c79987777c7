// What LDAP clients of this process do, as the actors of the runtime see it.
#pragma once
#include "understudy/messages/snapshot.hpp"

namespace understudy {

/// Thread-safe, never blocks for long.
class clients_port {
 public:
  virtual ~clients_port() = default;
  /// Sets `into.client_listeners` and `into.clients`.
  virtual void fill(runtime_snapshot& into) = 0;
};

}  // namespace understudy
