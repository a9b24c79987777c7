// What SASL binds say that a front door takes: PLAIN (RFC 4616) and the authorization identities of RFC 4513.
#pragma once
#include <optional>
#include <string_view>

namespace understudy::internal {

namespace sasl_mechanism {
inline constexpr std::string_view plain = "PLAIN", external = "EXTERNAL";
}

/// The message of PLAIN; refers to the bytes that it was read from.
struct plain_message {
  std::string_view authorization;   ///< as whom the client wants to act; empty: as whom it authenticates
  std::string_view authentication;  ///< never empty
  std::string_view password;        ///< never empty
};
/// Nothing when it is none.
std::optional<plain_message> read_plain(std::string_view credentials) noexcept;

/// The DN in an identity that a client gave: "dn:" and a DN (RFC 4513, 5.2.1.8), or a DN as it is. Nothing for any
/// other: only the directory knows whose it is.
std::optional<std::string_view> dn_of_identity(std::string_view identity) noexcept;

}  // namespace understudy::internal
