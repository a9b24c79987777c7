// What a scenario holds the runtime's word against: the kernel's sockets, and what servers have carried out.
#pragma once
#include "scenarios/scenario.hpp"
#include "understudy/actors/ports/ports.hpp"

namespace understudy::test {

/// What a runtime has learnt of how long its servers usually take: their silence is judged by that.
class learnt_paces {
 public:
  /// Makes the real connections, and notes whose they are. This object has to outlive the runtime.
  connection_factory connections();
  /// The longest that a probe of the server on that port has for its answer now because the server is slow: connected
  /// already or not. Zero while nothing was learnt.
  duration patience(std::uint16_t port) const;

 private:
  mutable std::mutex guard_;
  std::map<std::uint16_t, std::shared_ptr<const server_pace>> paces_;
};

/// How many sockets of this machine are being connected to 127.0.0.1:`port` and not answered (SYN_SENT).
std::size_t unanswered_connects(std::uint16_t port);

/// This process' sockets that are connected to 127.0.0.1:`port`.
std::vector<int> sockets_to(std::uint16_t port);
/// Integer options of a socket; a failed system call fails the test.
int socket_option(int fd, int level, int name);
void set_socket_option(int fd, int level, int name, int value);

/// Request number N adds the value "write-N" to the description of one of the users: a server that carries it out twice
/// refuses the second (attributeOrValueExists), and two servers that did it hold it both.
request_ptr numbered_write(int number);
/// Checks that no numbered write was carried out by two servers, that all `succeeded` were by one, and that none was
/// but those and, at most, the `unknown` ones.
void check_carried_out_once(const std::vector<slapd*>& servers, std::uint64_t succeeded, std::uint64_t unknown);

/// The breaker of the server with that port.
breaker_state breaker_of(const connection_manager& manager, std::uint16_t port);
/// How many connections of its pool are ready.
std::uint32_t ready_connections(const connection_manager& manager, std::uint16_t port);

}  // namespace understudy::test
