// Socket addresses: see addresses.hpp.
#include "understudy/runtime/platform/addresses.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace understudy::internal {
namespace {

template <class Address>
socket_address from(const Address& a) {
  return to_socket_address(reinterpret_cast<const sockaddr*>(&a), sizeof a);
}

// A sockaddr of its own type again: the bytes in a text have no alignment.
template <class Address>
Address as(const std::string& bytes) {
  Address a{};
  std::memcpy(&a, bytes.data(), std::min(bytes.size(), sizeof a));
  return a;
}

std::string text_of(int family, const std::string& bytes) {
  char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1] = "";
  if (family == AF_INET) {
    auto a = as<sockaddr_in>(bytes);
    inet_ntop(AF_INET, &a.sin_addr, text, sizeof text);
    return std::string{text} + ":" + std::to_string(ntohs(a.sin_port));
  }
  if (family == AF_INET6) {
    auto a = as<sockaddr_in6>(bytes);
    inet_ntop(AF_INET6, &a.sin6_addr, text, sizeof text);
    return "[" + std::string{text} + "]:" + std::to_string(ntohs(a.sin6_port));
  }
  if (family == AF_UNIX) return as<sockaddr_un>(bytes).sun_path;
  return "address family " + std::to_string(family);
}

std::optional<socket_address> unix_address(const std::string& path) {
  sockaddr_un a{};
  if (path.size() >= sizeof a.sun_path) return std::nullopt;
  a.sun_family = AF_UNIX;
  std::memcpy(a.sun_path, path.data(), path.size());
  return from(a);
}

std::optional<socket_address> ipv6_address(std::string host, std::uint16_t port) {
  sockaddr_in6 a{};
  a.sin6_family = AF_INET6;
  a.sin6_port = htons(port);
  if (auto zone = host.find('%'); zone != std::string::npos) {
    auto name = host.substr(zone + 1);
    a.sin6_scope_id = if_nametoindex(name.c_str());
    if (a.sin6_scope_id == 0) a.sin6_scope_id = static_cast<std::uint32_t>(std::strtoul(name.c_str(), nullptr, 10));
    host.resize(zone);
  }
  if (inet_pton(AF_INET6, host.c_str(), &a.sin6_addr) != 1) return std::nullopt;
  return from(a);
}

/// fe80::/10: all machines of one link have the same first bits.
bool is_link_local(const ip_address& address) noexcept { return address[0] == 0xfe && (address[1] & 0xc0) == 0x80; }

/// Whom a translator speaks for by its well-known prefix, 64:ff9b::/96 (RFC 6052, 2.1). What says so of a loopback
/// address is no translator's.
std::optional<ip_address> translated_ipv4(const ip_address& address) {
  constexpr std::array<std::uint8_t, 12> prefix{0x00, 0x64, 0xff, 0x9b};
  if (!std::equal(prefix.begin(), prefix.end(), address.begin())) return std::nullopt;
  const std::string four(address.begin() + prefix.size(), address.end());
  const auto found = mapped_ipv4(four);
  return is_loopback(found) ? std::nullopt : std::optional{found};
}

}  // namespace

socket_address to_socket_address(const sockaddr* address, socklen_t size) {
  socket_address result;
  result.family = address->sa_family;
  result.bytes.assign(reinterpret_cast<const char*>(address), size);
  result.text = text_of(result.family, result.bytes);
  return result;
}

std::optional<socket_address> literal_address(const std::string& host, std::uint16_t port) {
  if (!host.empty() && host.front() == '/') return unix_address(host);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    return ipv6_address(host.substr(1, host.size() - 2), port);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &a.sin_addr) == 1) return from(a);
  return ipv6_address(host, port);
}

std::optional<ip_address> ip_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    sockaddr_in a{};
    std::memcpy(&a, &address, sizeof a);
    std::string four(4, '\0');
    std::memcpy(four.data(), &a.sin_addr, four.size());
    return mapped_ipv4(four);
  }
  if (address.ss_family != AF_INET6) return std::nullopt;
  sockaddr_in6 a{};
  std::memcpy(&a, &address, sizeof a);
  ip_address found{};
  std::memcpy(found.data(), &a.sin6_addr, found.size());
  return found;
}

std::string counted_as(const ip_address& address) {
  constexpr std::size_t bytes_before_ipv4 = 12, bytes_of_network = 8;
  char text[INET6_ADDRSTRLEN] = "";
  if (is_ipv4(address)) {
    inet_ntop(AF_INET, address.data() + bytes_before_ipv4, text, sizeof text);
    return text;
  }
  if (const auto translated = translated_ipv4(address)) return counted_as(*translated);
  auto counted = address;
  const bool whole = is_loopback(address) || is_link_local(address);
  if (!whole) std::fill(counted.begin() + bytes_of_network, counted.end(), std::uint8_t{0});
  inet_ntop(AF_INET6, counted.data(), text, sizeof text);
  return whole ? std::string{text} : std::string{text} + "/64";
}

bool is_loopback(std::string_view address) {
  auto found = parse_ip_address(address);
  if (!found) found = parse_ip_address(address.substr(0, address.rfind(':')));
  return found && is_loopback(*found);
}

std::vector<socket_address> with_port(std::vector<socket_address> addresses, std::uint16_t port) {
  const auto wire = htons(port);
  for (auto& a : addresses) {
    if (a.family == AF_INET)
      std::memcpy(a.bytes.data() + offsetof(sockaddr_in, sin_port), &wire, sizeof wire);
    else if (a.family == AF_INET6)
      std::memcpy(a.bytes.data() + offsetof(sockaddr_in6, sin6_port), &wire, sizeof wire);
    a.text = text_of(a.family, a.bytes);
  }
  return addresses;
}

std::vector<socket_address> interleave(std::vector<socket_address> addresses) {
  if (addresses.empty()) return addresses;
  std::vector<socket_address> first, second;
  for (const auto& a : addresses) (a.family == addresses.front().family ? first : second).push_back(a);
  std::vector<socket_address> result;
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) result.push_back(std::move(first[i]));
    if (i < second.size()) result.push_back(std::move(second[i]));
  }
  return result;
}

}  // namespace understudy::internal
