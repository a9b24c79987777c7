// Socket addresses: literals, sockaddr bytes, the order to try them in.
#pragma once
#include "understudy/messages/event.hpp"
#include "understudy/messages/ip_network.hpp"

#include <sys/socket.h>

namespace understudy::internal {

/// An address as connect(2) takes it, with the text for people.
socket_address to_socket_address(const sockaddr* address, socklen_t size);

/// The address that `host` spells out: IPv4, IPv6 (with or without brackets, with or without a zone), or a path that
/// begins with '/' (ldapi). Nothing when it is a name.
std::optional<socket_address> literal_address(const std::string& host, std::uint16_t port);

/// The IP address of a socket; nothing for those of other families.
std::optional<ip_address> ip_of(const sockaddr_storage& address);

/// By what limits count a client of that address: "192.0.2.1", also where IPv6 has it (::ffff:192.0.2.1, and NAT64's
/// 64:ff9b::192.0.2.1); of IPv6 its first 64 bits, "2001:db8:0:1::/64", since whoever has one address there has all of
/// them. "::1" is itself, and so are addresses of a link (fe80::/10): the network of those is everybody's on it.
std::string counted_as(const ip_address& address);

/// True for what never leaves this machine: "127.0.0.1:4100", "[::1]", "::1"; with a port or without.
bool is_loopback(std::string_view address);

/// The same addresses with another port.
std::vector<socket_address> with_port(std::vector<socket_address> addresses, std::uint16_t port);

/// The order to try addresses in: the families alternate, beginning with that of the first (RFC 8305, section 4).
std::vector<socket_address> interleave(std::vector<socket_address> addresses);

}  // namespace understudy::internal
