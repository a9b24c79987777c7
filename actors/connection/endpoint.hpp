// Where a server is and how it is spoken to, read from its connection_info.
#pragma once
#include "understudy/config/connection_info.hpp"

#include <optional>
#include <string_view>

namespace understudy {

/// How the bytes between us and the server are protected.
enum class channel_security : std::uint8_t {
  none,
  tls,       ///< from the first byte (ldaps)
  start_tls  ///< after the StartTLS operation (RFC 4511, 4.14); nothing else is sent in plain text
};

/// The parts of an LDAP URL that say where to connect.
struct endpoint {
  std::string host;        ///< name or literal address, without brackets; empty for ldapi
  std::uint16_t port = 0;  ///< 0 for ldapi
  std::string path;        ///< of the Unix domain socket; empty otherwise
  channel_security security = channel_security::none;

  bool is_local() const noexcept { return !path.empty(); }
};

/// From `uri` when set (ldap, ldaps, ldapi; percent-encoding as in RFC 4516), from host and port otherwise; `use_ssl`
/// and `use_tls` decide about TLS. Empty when the URI cannot be understood.
std::optional<endpoint> endpoint_of(const connection_info& server);

/// Undoes %XX; empty when a percent sign is not followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace understudy
