// LDAP URLs, as far as they say where to connect.
#include "understudy/actors/connection/endpoint.hpp"

#include <charconv>

namespace understudy {
namespace {

constexpr std::uint16_t ldap_port = 389, ldaps_port = 636;

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool take_scheme(std::string_view& text, std::string_view scheme) noexcept {
  if (text.size() < scheme.size()) return false;
  for (std::size_t i = 0; i < scheme.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != scheme[i]) return false;
  }
  text.remove_prefix(scheme.size());
  return true;
}

/// "host", "host:port", "[v6]" or "[v6]:port".
bool read_authority(std::string_view text, endpoint& to) {
  std::string_view port;
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return false;
    to.host = std::string{text.substr(1, close - 1)};
    port = text.substr(close + 1);
    if (!port.empty() && port.front() != ':') return false;
  } else {
    const auto colon = text.find(':');
    to.host = std::string{text.substr(0, colon)};
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (port.size() > 1) {
    const auto* end = port.data() + port.size();
    const auto read = std::from_chars(port.data() + 1, end, to.port);
    if (read.ec != std::errc{} || read.ptr != end || to.port == 0) return false;
  }
  return true;
}

std::optional<endpoint> from_uri(const connection_info& server) {
  endpoint to;
  std::string_view rest = server.uri;
  if (take_scheme(rest, "ldapi://")) {
    auto path = percent_decode(rest.substr(0, rest.find('/')));
    if (!path || path->empty() || path->find('\0') != std::string::npos) return std::nullopt;
    to.path = std::move(*path);
  } else if (take_scheme(rest, "ldaps://")) {
    to.port = ldaps_port;
    to.security = channel_security::tls;
  } else if (take_scheme(rest, "ldap://")) {
    to.port = ldap_port;
  } else {
    return std::nullopt;
  }
  if (!to.is_local() && !read_authority(rest.substr(0, rest.find_first_of("/?")), to)) return std::nullopt;
  if (!to.is_local() && to.host.empty()) to.host = "localhost";
  return to;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

std::optional<endpoint> endpoint_of(const connection_info& server) {
  std::optional<endpoint> to;
  if (server.uri.empty()) {
    to = endpoint{server.host, server.port, {}, server.use_ssl ? channel_security::tls : channel_security::none};
  } else {
    to = from_uri(server);
  }
  if (to && to->host.size() > 2 && to->host.front() == '[' && to->host.back() == ']') {
    to->host = to->host.substr(1, to->host.size() - 2);
  }
  if (to && server.use_tls && to->security == channel_security::none) to->security = channel_security::start_tls;
  return to;
}

}  // namespace understudy
