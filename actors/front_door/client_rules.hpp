// What holds for the clients of one listener.
#pragma once
#include "understudy/config/settings.hpp"

namespace understudy::internal {

/// Shared by all clients that came in while it counted; immutable.
struct client_rules {
  client_identity identity = client_identity::session;
  std::vector<std::string> bases;  ///< as comparable_dn() has them
  bool allow_anonymous = false;    ///< counts with `anonymous_service` alone
  bool allow_plaintext = false;
  bool log_clients = false;  ///< a line of the log for each, at level info
  /// Nobody binds as the service: what it may do, everybody may.
  bool anonymous_service = false;
  std::size_t max_pending = 128;
  duration idle_timeout{};  ///< zero: never
  duration paging_hold = seconds{60};
  /// Connections that users may hold at one server for good: beyond that the ones that are idle are given up, for the
  /// next one who binds. 0: each server has only one for users, which has to go from one to the other.
  std::size_t most_users = 8;
  std::size_t most_cursors = 5;       ///< connections that searches in pages may hold, in all
  std::size_t most_negotiations = 2;  ///< connections on which SASL binds of several steps have begun, in all
  duration write_coherence{};         ///< zero: reads go to any server
  duration operation_timeout = seconds{30};
  std::size_t max_pdu_bytes = 16 * 1024 * 1024;
  std::size_t max_unread_bytes = 64 * 1024 * 1024;  ///< answers that the client has not taken
};
using client_rules_ptr = std::shared_ptr<const client_rules>;

}  // namespace understudy::internal
