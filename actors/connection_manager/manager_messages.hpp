// What the manager is told beyond its public interface: by workers that have read a secret, by the resolver.
#pragma once
#include "understudy/actors/connection_manager/bind_lockout_guard.hpp"
#include "understudy/messages/actors.hpp"

namespace understudy::internal {

/// The public interface, and what only its own parts send.
using manager_interface = connection_manager_actor::extend<
    // From a worker: what that read of a secret's source brought.
    caf::reacts_to<resolved_atom, std::uint64_t, secret_reading>,
    // From a worker: the fingerprint of the secret of that number; empty when there is none.
    caf::reacts_to<resolved_atom, std::uint64_t, std::string>,
    // From the cluster: the secrets that are refused at other nodes, all of them.
    caf::reacts_to<credential_atom, std::vector<refused_secret>>,
    // From the resolver: what that look-up of SRV records found.
    caf::reacts_to<resolved_atom, std::uint64_t, service_answer>>;

}  // namespace understudy::internal

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::internal::secret_reading)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<understudy::refused_secret>)
