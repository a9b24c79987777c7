// Cutting SASL credentials into their parts.
#include "understudy/actors/front_door/sasl.hpp"

#include "understudy/messages/text.hpp"

namespace understudy::internal {

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
