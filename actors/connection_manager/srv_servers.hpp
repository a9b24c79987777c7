// SRV records (RFC 2782) as servers.
#pragma once
#include "understudy/config/connection_info.hpp"
#include "understudy/messages/lookup.hpp"

namespace understudy::internal {

/// More servers than that are not taken from one name.
inline constexpr std::size_t most_srv_servers = 32;

/// What records come to.
struct srv_servers {
  std::vector<connection_info> servers;  ///< in order of preference
  std::vector<std::string> ignored;      ///< records that are not used, and why; for people
};

/// The servers that `records` name, each like `pattern` but for host, port, priority and weight. The best by priority
/// and weight are taken, a place that is named twice once; the target "." and names that can be no host never.
srv_servers servers_of(const connection_info& pattern, std::vector<service_record> records);

/// `host` in lower case, without the dot at its end: how a target is compared, connected to and checked against a
/// certificate.
std::string plain_target(const std::string& host);

}  // namespace understudy::internal
