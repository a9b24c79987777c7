// Where a server listens: URIs, default ports, names for people.
#pragma once
#include "understudy/config/connection_info.hpp"
#include "understudy/messages/host_and_port.hpp"
#include "understudy/messages/snapshot.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace understudy::internal::config {

enum class uri_scheme : std::uint8_t { ldap, ldaps, ldapi };

/// The parts of an LDAP URI that name a server (RFC 4516, and ldapi).
struct server_uri {
  uri_scheme scheme = uri_scheme::ldap;
  std::string host;  ///< the socket's path for ldapi; IPv6 addresses without brackets
  std::optional<std::uint16_t> port;
};
/// Where no port is given: that of ldap, or of ldaps (RFC 4516, 2, and the registry of IANA).
constexpr std::uint16_t standard_port(bool use_ssl) noexcept { return use_ssl ? 636 : 389; }

/// Parses "ldap://host:port", "ldaps://host", "ldapi://%2Frun%2Fslapd%2Fldapi". Nothing when it is none; `problem` then
/// says why.
std::optional<server_uri> parse_uri(std::string_view uri, std::string& problem);

/// What is wrong with a host name or address, empty when nothing is.
std::string check_host(std::string_view host);

/// What is wrong with the name of SRV records ("_ldap._tcp.example.com"), empty when nothing is.
std::string check_service(std::string_view name);

/// Where a node is dialled: "node.example.com:4100", "192.0.2.1:4100", "[::1]:4100". Nothing when it is none; `problem`
/// then says why.
std::optional<host_and_port> parse_node_address(std::string_view text, std::string& problem);
/// Where a listener accepts: an address in numbers, port 0 for any free one, or ":4100" for every address of this
/// machine. `usual_port` is for the example in `problem`.
std::optional<host_and_port> parse_listening_address(std::string_view text, std::string& problem,
                                                     const std::string& usual_port = "4100");
/// An address in numbers, of either family, with a zone or without; no brackets.
bool is_numeric_address(std::string_view host);

/// Which fields were given together with `uri`, and so must agree with it.
struct given_fields {
  bool host = false;
  bool port = false;
  bool use_ssl = false;
};
/// For a struct made in code: what differs from the defaults was given; without a URI its port means what it says.
given_fields given_in(const connection_info& info);

/// Which of the given fields contradict the URI.
given_fields contradictions(const connection_info& info, const server_uri& uri, const given_fields& given);

/// Sets host, port and use_ssl from `uri` when it has one, and the port that belongs to use_ssl where none was given.
/// Leaves them alone when the URI is no good or contradicts them. ldapi: host is the socket's path, port 0.
/// A port that was given beside a URI without one is written into it, so that the URI alone says everything.
void complete_endpoint(connection_info& info, const given_fields& given);

/// Where to connect to, and who must answer there: what is looked up, what TLS asks for and what a certificate is
/// compared with are three values (RFC 6066, 3; RFC 6125, 6.4; RFC 6874).
struct server_endpoint {
  bool local = false;  ///< `host` is the path of a Unix socket
  std::string host;    ///< looked up: as it was given, with a final dot or the zone of a link-local address
  std::uint16_t port = 0;
  bool use_ssl = false;  ///< TLS from the first byte
  bool use_tls = false;  ///< StartTLS (RFC 4511, 4.14): nothing else is sent in plain text

  bool encrypted() const noexcept { return use_ssl || use_tls; }
  bool is_address() const;
  /// The server_name of TLS: no final dot; empty for addresses, which it must never be.
  std::string server_name() const;
  /// What the certificate must be for: a name without its final dot, an address without its zone.
  std::string identity() const;
  /// True when what is sent does not leave this machine.
  bool loopback() const;
};
/// The place that `info` means, its `uri` taken into account.
server_endpoint endpoint_of(const connection_info& info);

/// True when the service binds by SASL EXTERNAL.
bool binds_externally(const connection_info& info);
/// True when the service binds at all.
bool binds(const connection_info& info);

/// "host:port", "[::1]:389" or the path of the socket: the server's name for people and commands. The name of the SRV
/// records where these stand for servers.
std::string server_name(const connection_info& info);
/// The same of a server that a snapshot tells of.
std::string server_name(const server_snapshot& server);
/// The same in lower case (but for paths): equal for, and only for, servers that are one place.
std::string server_key(const connection_info& info);

}  // namespace understudy::internal::config

namespace understudy::internal {

using config::binds;
using config::binds_externally;
using config::endpoint_of;
using config::server_endpoint;
using config::server_key;
using config::server_name;

}  // namespace understudy::internal
