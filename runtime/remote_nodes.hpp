// Nodes in place of a directory's servers: where they are, and how they and their clients know each other.
#pragma once
#include "understudy/messages/node_silence.hpp"

#include <optional>
#include <string>
#include <vector>

namespace understudy {

/// PEM files of a client of nodes. Both sides show a certificate (TLS 1.3); they are read again when they change.
struct node_tls {
  std::string ca_cert_path;    ///< authorities of the nodes' certificates
  std::string cert_path;       ///< our own certificate first, then those that lead to the authority that nodes trust
  std::string key_path;        ///< our own private key, not encrypted
  std::string crl_path = {};   ///< revocation lists of the nodes' certificates; may be empty
  std::string node_name = {};  ///< what the nodes' certificates must be for; empty: the host that is dialled
};

/// Which nodes a client speaks to: one at a time, the first that can be reached; another one when that is lost.
struct remote_nodes {
  /// "host:port" or "[2001:db8::1]:port", at least one, in the order of preference.
  std::vector<std::string> addresses;
  /// Without: plain text, to 127.0.0.1, [::1] and localhost alone.
  std::optional<node_tls> tls = {};
  /// For one node, from its first address to its word on what terms it serves: name, TCP, TLS, both handshakes of the
  /// nodes; 1ms to 1h.
  duration connect_timeout = seconds{3};
  /// A link on which nothing came for so long is given up. Both sides send something at least every 5 s, so no less
  /// than thrice that where both have it so; 100ms to 1h.
  duration silence = node_silence;
};

}  // namespace understudy
