// What the nodes of a cluster tell each other once a second, as bytes.
#pragma once
#include "understudy/actors/node/connection_budget.hpp"
#include "understudy/actors/node/frame.hpp"
#include "understudy/actors/ports/cluster_port.hpp"

namespace understudy::internal {

/// How a server looks from a node.
struct told_health {
  std::string server;  ///< "host:port", as it is configured
  breaker_state breaker = breaker_state::closed;
  milliseconds down_for{};  ///< since it was left by `closed`
  std::string reason;       ///< of that, in one line
};

/// A secret of the service that the directory refused to that node.
struct told_refusal {
  std::string identity, fingerprint;  ///< as refused_secret has them
  milliseconds ago{};
  std::string cause;
};

/// The sender would use sockets to that server of the receiver's share.
struct told_request {
  std::string server;
  loan_request request;
};

/// The answer to such a request of the receiver's process `borrower`.
struct told_grant {
  std::string server;
  std::uint64_t borrower = 0, number = 0;
  std::uint32_t may_use = 0;
};

/// One side's word. Spans of time, not moments: no clock is compared with another.
struct exchange {
  std::uint64_t incarnation = 0;   ///< of the sender's process; a later one has a higher number
  std::uint32_t budget = 0;        ///< sockets a server over all nodes; 0: none
  std::vector<std::string> nodes;  ///< all that the sender knows of, itself included, sorted
  std::vector<told_health> servers;
  std::vector<told_refusal> refused;
  std::vector<told_request> requests;
  std::vector<told_grant> grants;
  std::vector<std::string> recalled;  ///< servers of which the sender wants back what it has lent to the receiver
  secrets_standing standing = secrets_standing::decided;  ///< of the sender
};

/// What is taken of one exchange; more is malformed. A sender tells no more.
struct exchange_limits {
  static constexpr std::size_t nodes = 64, servers = 256, refused = 64;
  static constexpr std::size_t name = 300, identity = 1024, text = 200;  ///< bytes
  static constexpr std::size_t bytes = 512 * 1024;                       ///< of it all
};

/// Lists and texts are cut to exchange_limits.
std::string encode(const exchange& told);
/// A value, within exchange_limits, or why there is none.
decoded<exchange> decode_exchange(std::string_view bytes);

}  // namespace understudy::internal
