// SO_PEERCRED: as the process was when it connected.
#include "understudy/runtime/platform/peer_credentials.hpp"

#include <sys/socket.h>
#include <sys/un.h>

namespace understudy::internal {

std::string peer_identity(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) return {};
  ucred peer{};
  size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return {};
  return "gidNumber=" + std::to_string(peer.gid) + "+uidNumber=" + std::to_string(peer.uid) +
         ",cn=peercred,cn=external,cn=auth";
}

}  // namespace understudy::internal
