// The actor that is one LDAP connection: connecting → securing → binding → ready → draining → closed.
#pragma once
#include "understudy/actors/ports/ports.hpp"

namespace understudy {

class tls_contexts;

/// Spawns a connection that starts connecting at once and reports to its owner (messages/actors.hpp says what it can
/// be told). It lives until `removed`, as long as somebody holds its handle. Without `contexts` it reads the TLS files
/// for itself.
connection_actor spawn_connection(caf::actor_system& system, connection_spec spec,
                                  std::shared_ptr<tls_contexts> contexts = nullptr);

/// A factory whose connections share what was read from certificate and key files, until those change.
connection_factory make_connection_factory();

}  // namespace understudy
