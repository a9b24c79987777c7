// IP addresses and networks: lists of who may come in, and what is of this machine.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::internal {

/// An address, in network order; IPv4 as IPv6 has it (::ffff:192.0.2.1), so that both spellings are one address.
using ip_address = std::array<std::uint8_t, 16>;

/// An IPv4 address from its four bytes.
ip_address mapped_ipv4(std::string_view four_bytes);
/// Reads "192.0.2.1", "2001:db8::1", "[::1]"; a zone ("%eth0") is left out. Nothing when it is none.
std::optional<ip_address> parse_ip_address(std::string_view text);
/// True for an address of IPv4.
bool is_ipv4(const ip_address& address) noexcept;
/// 127.0.0.0/8 and ::1.
bool is_loopback(const ip_address& address) noexcept;

/// "10.0.0.0/8": the addresses that begin alike. Those of IPv4 are in networks of IPv4 alone.
class ip_network {
 public:
  /// A network, or a single address. Nothing when it is neither; `problem` then says what is wrong.
  static std::optional<ip_network> parse(std::string_view text, std::string& problem);
  bool contains(const ip_address& address) const noexcept;

 private:
  ip_network(const ip_address& first, unsigned length) : first_(first), length_(length) {}

  ip_address first_;
  unsigned length_;  ///< bits that count, of 128
};

/// True when one of `networks` has it.
bool contains(const std::vector<ip_network>& networks, const ip_address& address) noexcept;

}  // namespace understudy::internal
