// What SASL binds say that a front door takes: PLAIN (RFC 4616) and the authorization identities of RFC 4513; and which
// mechanisms of several steps are between the client and the directory, whoever passes their messages on.
#pragma once
#include <optional>
#include <string>
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

/// A mechanism of several steps that is about neither the connection that it runs on nor the name of its server, and
/// that puts nothing around what comes after it: SCRAM without channel binding (RFC 5802, RFC 7677), CRAM-MD5.
bool is_relayed_mechanism(std::string_view mechanism) noexcept;
/// The name that a client's step of such a mechanism says: SCRAM's first message ("n,,n=alice,r=…", RFC 5802), the
/// answer to CRAM-MD5's challenge ("alice 0123…", RFC 2195). Nothing: this step says none.
std::optional<std::string_view> name_in_step(std::string_view mechanism, std::string_view credentials) noexcept;
/// Why any other is not taken, for people.
std::string why_not_relayed(std::string_view mechanism);

/// The DN in an identity that a client gave: "dn:" and a DN (RFC 4513, 5.2.1.8), or a DN as it is. Nothing for any
/// other: only the directory knows whose it is.
std::optional<std::string_view> dn_of_identity(std::string_view identity) noexcept;

}  // namespace understudy::internal
