// Cutting SASL credentials into their parts, and the list of mechanisms.
#include "understudy/actors/front_door/sasl.hpp"

#include "understudy/messages/text.hpp"

#include <algorithm>
#include <array>

namespace understudy::internal {
namespace {

constexpr std::array<std::string_view, 6> relayed{"SCRAM-SHA-1",   "SCRAM-SHA-224", "SCRAM-SHA-256",
                                                  "SCRAM-SHA-384", "SCRAM-SHA-512", "CRAM-MD5"};
// Their tickets and digests are for a service on a host, by the name that the client connected to.
constexpr std::array<std::string_view, 5> of_a_host{"GSSAPI", "GSS-SPNEGO", "GS2-KRB5", "DIGEST-MD5", "NTLM"};

}  // namespace

std::optional<plain_message> read_plain(std::string_view credentials) noexcept {
  const auto first = credentials.find('\0');
  if (first == std::string_view::npos) return std::nullopt;
  const auto second = credentials.find('\0', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  plain_message read;
  read.authorization = credentials.substr(0, first);
  read.authentication = credentials.substr(first + 1, second - first - 1);
  read.password = credentials.substr(second + 1);
  const bool whole =
      !read.authentication.empty() && !read.password.empty() && read.password.find('\0') == std::string_view::npos;
  return whole ? std::optional{read} : std::nullopt;
}

bool is_relayed_mechanism(std::string_view mechanism) noexcept {
  return std::find(relayed.begin(), relayed.end(), mechanism) != relayed.end();
}

std::optional<std::string_view> name_in_step(std::string_view mechanism, std::string_view credentials) noexcept {
  const auto none = std::string_view::npos;
  if (mechanism == "CRAM-MD5") {
    const auto space = credentials.rfind(' ');
    return space == none || space == 0 ? std::nullopt : std::optional{credentials.substr(0, space)};
  }
  // Channel binding, authorization identity, then the message itself; the last step begins with "c=".
  constexpr std::string_view name_begins = "n=";
  const auto flag = credentials.find(',');
  const auto identity = flag == none || credentials.front() == 'c' ? none : credentials.find(',', flag + 1);
  if (identity == none) return std::nullopt;
  auto message = credentials.substr(identity + 1);
  if (message.substr(0, name_begins.size()) != name_begins) return std::nullopt;
  message.remove_prefix(name_begins.size());
  const auto name = message.substr(0, message.find(','));
  return name.empty() ? std::nullopt : std::optional{name};
}

std::string why_not_relayed(std::string_view mechanism) {
  constexpr std::string_view plus = "-PLUS";
  const bool of_channel = mechanism.size() > plus.size() && mechanism.substr(mechanism.size() - plus.size()) == plus;
  const bool of_host = std::find(of_a_host.begin(), of_a_host.end(), mechanism) != of_a_host.end();
  const char* const reason = of_channel ? "It is bound to the TLS connection to the directory, which ends here. "
                             : of_host
                                 ? "It is bound to the host name of the directory, which this server does not have. "
                                 : "This SASL mechanism is not taken here. ";
  return std::string{reason} + "Simple binds, PLAIN and SCRAM are taken.";
}

std::optional<std::string_view> dn_of_identity(std::string_view identity) noexcept {
  constexpr std::string_view prefix = "dn:";
  if (identity.size() > prefix.size() && same_name(identity.substr(0, prefix.size()), prefix))
    return identity.substr(prefix.size());
  const auto equals = identity.find('=');
  // "u:" names no DN, whatever follows.
  if (equals == std::string_view::npos || identity.substr(0, equals).find(':') != std::string_view::npos)
    return std::nullopt;
  return identity;
}

}  // namespace understudy::internal
