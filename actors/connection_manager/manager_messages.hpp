// What the manager is told beyond its public interface: by workers that have read a secret.
#pragma once
#include "understudy/actors/connection_manager/credential_desk.hpp"
#include "understudy/messages/actors.hpp"

namespace understudy {

/// The public interface, and what only its own parts send.
using manager_interface = connection_manager_actor::extend<
    // From a worker: what reading the secret of that server's source brought.
    caf::reacts_to<resolved_atom, server_id, secret_reading>>;

}  // namespace understudy

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::secret_reading)
