// What tells two nodes that they have the same secret, without the secret.
#pragma once
#include "understudy/messages/secret.hpp"

#include <string>

namespace understudy::internal {

/// 32 bytes; the same for the same identity and secret on every node, empty when there is too little memory. Takes
/// about a tenth of a second and 32 MiB: for a worker.
///
/// Nodes tell each other which secrets were refused, and each looks whether it has the same. Whoever gets a
/// fingerprint, a peer first of all, could guess: so each guess costs what this costs (scrypt, RFC 7914, N = 2^15, r =
/// 8, p = 1). A hash under a key would not do, since the peers have that key. The salt is the identity, not a random
/// one: a dictionary serves for one name only, each node computes it once for each of its own secrets, and no peer can
/// have another compute anew by a new salt.
std::string fingerprint_of(const std::string& identity, const secret& value);

}  // namespace understudy::internal
