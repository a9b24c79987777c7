// Who the process at the other end of a Unix socket is, as LDAP servers name it.
#pragma once
#include <string>

namespace understudy::internal {

/// The DN that SASL EXTERNAL stands for at a Unix socket, as OpenLDAP has it:
/// "gidNumber=100+uidNumber=1000,cn=peercred,cn=external,cn=auth". Empty for a socket of another kind.
std::string peer_identity(int fd);

}  // namespace understudy::internal
