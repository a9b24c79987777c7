// "HOST:PORT": read from configuration and commands, written for people.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace understudy::internal {

/// Where somebody listens, or is dialled.
struct host_and_port {
  std::string host;        ///< IPv6 addresses without brackets; the path of a Unix socket, which has no port
  std::uint16_t port = 0;  ///< 0: any free one, or none
};

/// "ldap.example.com:389", "[::1]:389"; the host alone when there is no port (ldapi).
std::string to_string(const host_and_port& place);

/// Reads "node.example.com:4100", "192.0.2.1:4100", "[::1]:4100", port 0 included; what the host is worth is for others
/// to say. Nothing when it is none; `problem` then says why.
std::optional<host_and_port> parse_host_and_port(std::string_view text, std::string& problem);

/// The same of a place to listen at, where ":4100" is every address of this machine, of both families ("[::]:4100").
std::optional<host_and_port> parse_listening_place(std::string_view text, std::string& problem);

}  // namespace understudy::internal
