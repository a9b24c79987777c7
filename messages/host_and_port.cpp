// "HOST:PORT": see host_and_port.hpp.
#include "understudy/messages/host_and_port.hpp"

#include "understudy/messages/number.hpp"

#include <algorithm>

namespace understudy::internal {

std::string to_string(const host_and_port& place) {
  if (place.port == 0 || place.host.starts_with('/')) return place.host;
  const bool brackets = place.host.find(':') != std::string::npos;
  return (brackets ? '[' + place.host + ']' : place.host) + ':' + std::to_string(place.port);
}

std::optional<host_and_port> parse_host_and_port(std::string_view text, std::string& problem) {
  const auto colon = std::min(text.rfind(':'), text.size());
  auto host = text.substr(0, colon);
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  if (host.empty() || colon == text.size() || brackets != (host.find(':') != std::string_view::npos)) {
    problem = "must be a host and its port, as node.example.com:4100, 192.0.2.1:4100 or [2001:db8::1]:4100";
    return std::nullopt;
  }
  if (const auto port = parse_number<std::uint16_t>(text.substr(colon + 1)))
    return host_and_port{std::string{host}, *port};
  problem = "its port must be a number up to 65535";
  return std::nullopt;
}

std::optional<host_and_port> parse_listening_place(std::string_view text, std::string& problem) {
  if (text.empty() || text.front() != ':') return parse_host_and_port(text, problem);
  return parse_host_and_port("[::]" + std::string{text}, problem);
}

}  // namespace understudy::internal
