// Reads LDAP URLs: see ldap_url.hpp.
#include "understudy/actors/authenticator/ldap_url.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>
#include <array>

namespace understudy::internal {
namespace {

constexpr std::size_t longest_url = 8192;

/// "host:port" of "ldap://host".
std::optional<std::string> server_of(std::string_view place) {
  std::string problem;
  const auto uri = config::parse_uri(place, problem);
  if (!uri || uri->scheme == config::uri_scheme::ldapi || uri->host.empty()) return std::nullopt;
  const auto usual = config::standard_port(uri->scheme == config::uri_scheme::ldaps);
  return to_string(host_and_port{uri->host, uri->port.value_or(usual)});
}

std::optional<search_scope> scope_of(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, search_scope>, 4> known{{{"base", search_scope::base},
                                                                            {"one", search_scope::one},
                                                                            {"sub", search_scope::subtree},
                                                                            {"subordinate", search_scope::children}}};
  for (const auto& [name, scope] : known)
    if (same_name(name, text)) return scope;
  return std::nullopt;
}

bool has_critical_extension(std::string_view extensions) {
  return extensions.substr(0, 1) == "!" || extensions.find(",!") != std::string_view::npos;
}

/// False when it cannot be sent.
bool take_text(std::string_view part, std::optional<std::string>& into) {
  auto text = percent_decoded(part);
  if (!text || text->find('\0') != std::string::npos) return false;
  if (!text->empty()) into = std::move(text);
  return true;
}

}  // namespace

std::optional<ldap_url> parse_ldap_url(std::string_view text) {
  if (text.size() > longest_url) return std::nullopt;
  const auto mark = text.find("://");
  if (mark == std::string_view::npos) return std::nullopt;
  const auto end = std::min(text.find_first_of("/?", mark + 3), text.size());
  auto server = server_of(text.substr(0, end));
  if (!server) return std::nullopt;
  ldap_url url;
  url.server = std::move(*server);
  if (end == text.size()) return url;
  if (text[end] != '/') return std::nullopt;
  std::array<std::string_view, 5> parts{};  // dn ? attributes ? scope ? filter ? extensions
  auto rest = text.substr(end + 1);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto stop = i + 1 < parts.size() ? std::min(rest.find('?'), rest.size()) : rest.size();
    parts.at(i) = rest.substr(0, stop);
    rest.remove_prefix(std::min(stop + 1, rest.size()));
  }
  if (!take_text(parts[0], url.dn) || !take_text(parts[3], url.filter) || has_critical_extension(parts[4]))
    return std::nullopt;
  if (!parts[2].empty() && !(url.scope = scope_of(parts[2]))) return std::nullopt;
  return url;
}

}  // namespace understudy::internal
