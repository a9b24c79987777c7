// The actor that is one LDAP connection: connecting → securing → binding → ready → draining → closed.
#pragma once
#include "understudy/actors/ports/ports.hpp"

namespace understudy::internal {

struct shared_by_connections;

/// Spawns a connection that starts connecting at once and reports to its owner (messages/actors.hpp says what it can
/// be told). It lives until `removed`, as long as somebody holds its handle. Without `shared` it shares nothing with
/// others.
connection_actor spawn_connection(caf::actor_system& system, connection_spec spec,
                                  std::shared_ptr<shared_by_connections> shared = nullptr);

/// A factory whose connections share what was read from certificate and key files, until those change, and the budget
/// of retries.
connection_factory make_connection_factory();

}  // namespace understudy::internal
