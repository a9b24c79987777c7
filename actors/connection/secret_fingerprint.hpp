// What tells that two secrets are the same, without the secret: on two nodes, or now and earlier.
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

/// 32 bytes by which a password that was right is known again in this process; empty when there is too little memory.
/// Takes some milliseconds and 2 MiB (N = 2^11): logins wait for it, and whoever reads this memory has to guess each
/// password at that price.
std::string password_hash(const std::string& salt, const secret& password);
/// 16 bytes that nobody can foresee; empty when there are none to be had.
std::string random_salt();

}  // namespace understudy::internal
