// What holds for everybody who asks by HTTP.
#pragma once
#include "understudy/messages/secret.hpp"

#include <memory>
#include <string>
#include <vector>

namespace understudy::internal {

/// Shared by all connections; immutable.
struct http_rules {
  /// In lower case: by which the endpoint may be asked for, beside addresses in numbers and localhost.
  std::vector<std::string> hosts;
  secret admin_token;  ///< not set: nobody can give orders
  /// Whoever gets in may read texts of errors, which name identities and repeat what the directory says, and addresses
  /// of clients and nodes: nobody else than this machine, or who shows a certificate, gets in. Otherwise that takes the
  /// token.
  bool shows_details = false;
  /// Of the events that are told here: what stands before the numbers in the ids of a stream.
  std::string events_id = {};
};
using http_rules_ptr = std::shared_ptr<const http_rules>;

}  // namespace understudy::internal
