// URIs, default ports, names of servers.
#include "understudy/config/endpoint.hpp"

#include "understudy/messages/number.hpp"
#include "understudy/messages/snapshot.hpp"
#include "understudy/messages/text.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace understudy::internal::config {

namespace {

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

std::optional<server_uri> parse_local(std::string_view rest, std::string& problem) {
  server_uri result;
  result.scheme = uri_scheme::ldapi;
  const auto path = percent_decoded(rest);
  if (path && !path->empty() && path->front() == '/' && path->find('\0') == std::string::npos) {
    result.host = *path;
    return result;
  }
  problem = "ldapi needs the path of a socket with its slashes written %2F, as ldapi://%2Frun%2Fslapd%2Fldapi";
  return std::nullopt;
}

bool parse_port(std::string_view text, server_uri& result, std::string& problem) {
  result.port = parse_number<std::uint16_t>(text);
  if (result.port.value_or(0) != 0) return true;
  problem = "its port must be 1 to 65535";
  return false;
}

/// In a URI the percent sign before the zone of an address is written "%25" (RFC 6874), though not by everybody.
std::optional<std::string> with_plain_zone(std::string_view host) {
  const auto percent = host.find('%');
  if (percent == std::string_view::npos) return std::string{host};
  if (host.substr(percent, 3) != "%25" || host.size() == percent + 3) return std::string{host};
  const auto zone = percent_decoded(host.substr(percent + 3));
  if (!zone) return std::nullopt;
  return std::string{host.substr(0, percent)} + '%' + *zone;
}

std::optional<server_uri> parse_remote(std::string_view rest, server_uri result, std::string& problem) {
  if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  if (rest.find_first_of("/?#") != std::string_view::npos) {
    problem = "must end after host and port: a base DN, filter or fragment has no meaning here";
    return std::nullopt;
  }
  if (rest.find('@') != std::string_view::npos) {
    problem = "must not name a user: use bind_dn and password";
    return std::nullopt;
  }
  std::string_view port;
  if (rest.substr(0, 1) == "[") {
    const auto end = rest.find(']');
    if (end == std::string_view::npos) {
      problem = "has a [ without its ]";
      return std::nullopt;
    }
    const auto host = with_plain_zone(rest.substr(1, end - 1));
    if (!host || host->find(':') == std::string::npos) {
      problem = "must have an IPv6 address between [ and ], the % of its zone written %25";
      return std::nullopt;
    }
    result.host = *host;
    port = rest.substr(end + 1);
  } else {
    const auto colon = std::min(rest.find(':'), rest.size());
    result.host = rest.substr(0, colon);
    port = rest.substr(colon);
  }
  if (!port.empty() && (port.front() != ':' || !parse_port(port.substr(1), result, problem))) {
    if (problem.empty()) problem = "has something other than a port after its host";
    return std::nullopt;
  }
  problem = check_host(result.host);
  return problem.empty() ? std::optional{result} : std::nullopt;
}

bool is_literal(const std::string& host) noexcept {
  in6_addr any{};
  return ::inet_pton(AF_INET, host.c_str(), &any) == 1 || ::inet_pton(AF_INET6, host.c_str(), &any) == 1;
}

std::string without_zone(const std::string& host) {
  return host.find(':') == std::string::npos ? host : host.substr(0, host.find('%'));
}

std::string uri_host(const std::string& host) {
  if (host.find(':') == std::string::npos) return host;
  const auto percent = host.find('%');
  const auto zone = percent == std::string::npos ? std::string{} : "%25" + host.substr(percent + 1);
  return '[' + without_zone(host) + zone + ']';
}

std::string with_port(std::string uri, std::uint16_t port) {
  if (uri.back() == '/') uri.pop_back();
  return uri + ':' + std::to_string(port);
}

}  // namespace

std::string check_host(std::string_view host) {
  if (host.empty()) return "must name a host";
  if (host.front() == '/') return host.find('\0') == std::string_view::npos ? "" : "must not contain NUL bytes";
  if (host.find("://") != std::string_view::npos) return "must be a name or address; a URI goes into uri";
  if (host.front() == '[') return "must be written without brackets";
  if (host.size() > 253) return "must not be longer than 253 bytes";
  const auto colons = std::count(host.begin(), host.end(), ':');
  if (colons == 1) return "must not contain a port; it goes into port";
  const auto percent = std::min(host.find('%'), host.size());  // the zone of a link-local address follows
  const bool plain = std::all_of(host.begin(), host.end(), [](char c) {
    return is_alphanumeric(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
  });
  if (!plain || (colons == 0 && percent != host.size())) return "must be a host name or an address";
  if (colons != 0) {
    if (percent + 1 == host.size()) return "must name the zone after its %";
    return is_literal(std::string{host.substr(0, percent)}) ? "" : "must be a host name or an address";
  }
  if (host.back() == '.') host.remove_suffix(1);
  while (true) {
    const auto dot = std::min(host.find('.'), host.size());
    if (dot == 0) return "must not have an empty part between its dots";
    if (dot > 63) return "must not have a part of more than 63 bytes between its dots";
    if (host[0] == '-' || host[dot - 1] == '-') return "must not have a part that begins or ends with a hyphen";
    if (dot == host.size()) return {};
    host.remove_prefix(dot + 1);
    if (host.empty()) return "must not have an empty part between its dots";
  }
}

std::string check_service(std::string_view name) {
  const auto wrong = "must name a service and a domain, as _ldap._tcp.example.com";
  if (name.size() > 253) return "must not be longer than 253 bytes";
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);
  for (int label = 0; label < 3; ++label) {
    const auto dot = std::min(name.find('.'), name.size());
    const bool underscored = name.substr(0, 1) == "_";
    if (underscored != (label < 2) || dot < (underscored ? 2U : 1U)) return wrong;
    if (label < 2) name.remove_prefix(std::min(dot + 1, name.size()));
  }
  return check_host(name).empty() && name.find_first_of(":/%") == std::string_view::npos ? "" : wrong;
}

std::optional<server_uri> parse_uri(std::string_view uri, std::string& problem) {
  const auto separator = uri.find("://");
  const auto scheme = ascii_lower(std::string{uri.substr(0, std::min<std::size_t>(separator, 8))});
  const std::string_view rest = separator == std::string_view::npos ? std::string_view{} : uri.substr(separator + 3);
  server_uri result;
  if (scheme == "ldapi") return parse_local(rest, problem);
  if (scheme == "ldaps") result.scheme = uri_scheme::ldaps;
  if (separator != std::string_view::npos && (scheme == "ldap" || scheme == "ldaps"))
    return parse_remote(rest, std::move(result), problem);
  problem = "must begin with ldap://, ldaps:// or ldapi://";
  return std::nullopt;
}

std::optional<host_and_port> parse_node_address(std::string_view text, std::string& problem) {
  auto found = parse_host_and_port(text, problem);
  if (!found) return std::nullopt;
  problem = found->host.front() == '/' ? "must be a host and its port, no path" : check_host(found->host);
  if (problem.empty() && found->port == 0) problem = "its port must be 1 to 65535";
  return problem.empty() ? std::move(found) : std::nullopt;
}

std::optional<host_and_port> parse_listening_address(std::string_view text, std::string& problem,
                                                     const std::string& usual_port) {
  auto found = parse_listening_place(text, problem);
  if (!found) return std::nullopt;
  problem = check_host(found->host);
  if (problem.empty() && !is_numeric_address(found->host))
    problem = "must be an address of this machine in numbers, as 127.0.0.1:" + usual_port + ", [::1]:" + usual_port +
              " or 0.0.0.0:" + usual_port;
  return problem.empty() ? std::move(found) : std::nullopt;
}

bool is_numeric_address(std::string_view host) { return is_literal(without_zone(std::string{host})); }

given_fields given_in(const connection_info& info) {
  return {!info.host.empty(), info.port != connection_info{}.port, info.use_ssl};
}

given_fields contradictions(const connection_info& info, const server_uri& uri, const given_fields& given) {
  const bool other_port = uri.scheme == uri_scheme::ldapi ? info.port != 0 : uri.port && info.port != *uri.port;
  return {given.host && info.host != uri.host, given.port && other_port,
          given.use_ssl && info.use_ssl != (uri.scheme == uri_scheme::ldaps)};
}

void complete_endpoint(connection_info& info, const given_fields& given) {
  if (!info.srv.empty()) return;
  std::string problem;
  std::optional<server_uri> uri;
  if (!info.uri.empty()) {
    uri = parse_uri(info.uri, problem);
    if (!uri) return;
    const auto other = contradictions(info, *uri, given);
    if (other.host || other.port || other.use_ssl) return;
    info.host = uri->host;
    info.use_ssl = uri->scheme == uri_scheme::ldaps;
  }
  if (uri && uri->scheme == uri_scheme::ldapi)
    info.port = 0;
  else if (uri && uri->port)
    info.port = *uri->port;
  else if (uri && given.port)
    info.uri = with_port(info.uri, info.port);
  else if (!given.port)
    info.port = standard_port(info.use_ssl);
  else if (!uri && info.use_ssl && info.port == standard_port(false) && check_host(info.host).empty())
    info.uri = "ldaps://" + uri_host(info.host) + ':' + std::to_string(info.port);  // or it would look like a default
}

server_endpoint endpoint_of(const connection_info& info) {
  connection_info complete = info;
  complete_endpoint(complete, given_in(info));
  const bool local = !complete.host.empty() && complete.host.front() == '/';
  return {local, std::move(complete.host), complete.port, complete.use_ssl, complete.use_tls && !complete.use_ssl};
}

bool server_endpoint::is_address() const { return !local && is_literal(without_zone(host)); }

std::string server_endpoint::server_name() const { return local || is_address() ? std::string{} : identity(); }

std::string server_endpoint::identity() const {
  if (local) return {};
  auto name = without_zone(host);
  if (name.size() > 1 && name.back() == '.') name.pop_back();
  return name;
}

bool server_endpoint::loopback() const {
  if (local) return true;
  const auto name = ascii_lower(identity());
  return name == "localhost" || name == "::1" || (is_address() && name.rfind("127.", 0) == 0);
}

bool binds_externally(const connection_info& info) {
  if (info.bind_mechanism != bind_method::automatic) return info.bind_mechanism == bind_method::external;
  return info.bind_dn.empty() && !info.client_cert_path.empty();
}

bool binds(const connection_info& info) { return !info.bind_dn.empty() || binds_externally(info); }

std::string server_name(const connection_info& info) {
  if (!info.srv.empty()) return info.srv;
  const auto place = endpoint_of(info);
  return to_string(host_and_port{place.host, place.port});
}

std::string server_name(const server_snapshot& server) { return to_string(host_and_port{server.host, server.port}); }

std::string server_key(const connection_info& info) {
  std::string name = server_name(info);
  if (!name.empty() && name.front() == '/') return name;
  name = ascii_lower(std::move(name));
  return name;
}

}  // namespace understudy::internal::config
