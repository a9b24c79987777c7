// Reading addresses and networks, and comparing their first bits: see ip_network.hpp.
#include "understudy/messages/ip_network.hpp"

#include "understudy/messages/number.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace understudy::internal {
namespace {

constexpr unsigned bits_of_ipv4 = 32, bits_of_ipv6 = 128, mapped_bits = bits_of_ipv6 - bits_of_ipv4;
constexpr std::size_t mapped_bytes = mapped_bits / 8;

constexpr ip_address mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};

bool same_beginning(const ip_address& a, const ip_address& b, unsigned bits) noexcept {
  const auto whole = bits / 8, rest = bits % 8;
  if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/// Bits that are set behind the first ones.
bool has_more(const ip_address& address, unsigned bits) noexcept {
  for (unsigned i = bits; i < bits_of_ipv6; ++i)
    if ((address[i / 8] >> (7 - i % 8) & 1) != 0) return true;
  return false;
}

}  // namespace

ip_address mapped_ipv4(std::string_view four_bytes) {
  auto address = mapped_prefix;
  for (std::size_t i = 0; i < std::min<std::size_t>(four_bytes.size(), 4); ++i)
    address[mapped_bytes + i] = static_cast<std::uint8_t>(four_bytes[i]);
  return address;
}

std::optional<ip_address> parse_ip_address(std::string_view text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  const std::string plain{text.substr(0, text.find('%'))};
  if (plain.size() != text.size() && plain.find(':') == std::string::npos) return std::nullopt;
  ip_address address{};
  if (::inet_pton(AF_INET6, plain.c_str(), address.data()) == 1) return address;
  std::array<char, 4> four{};
  if (::inet_pton(AF_INET, plain.c_str(), four.data()) == 1) return mapped_ipv4({four.data(), four.size()});
  return std::nullopt;
}

bool is_ipv4(const ip_address& address) noexcept {
  return std::equal(address.begin(), address.begin() + mapped_bytes, mapped_prefix.begin());
}

bool is_loopback(const ip_address& address) noexcept {
  constexpr ip_address ipv6_loopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return address == ipv6_loopback || (is_ipv4(address) && address[mapped_bytes] == 127);
}

std::optional<ip_network> ip_network::parse(std::string_view text, std::string& problem) {
  const auto slash = std::min(text.find('/'), text.size());
  const auto host = text.substr(0, slash);
  const auto first = host.find_first_of("[]%") == std::string_view::npos ? parse_ip_address(host) : std::nullopt;
  if (!first) {
    problem = "must be addresses or networks, as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32";
    return std::nullopt;
  }
  const unsigned most = host.find(':') == std::string_view::npos ? bits_of_ipv4 : bits_of_ipv6;
  const auto length = slash == text.size() ? most : parse_number<unsigned>(text.substr(slash + 1)).value_or(most + 1);
  if (length > most) {
    problem = "the length of a network must be a number up to " + std::to_string(most);
    return std::nullopt;
  }
  const auto bits = bits_of_ipv6 - most + length;
  if (has_more(*first, bits)) {
    problem = "its address has bits beyond the length of the network";
    return std::nullopt;
  }
  return ip_network{*first, bits};
}

bool ip_network::contains(const ip_address& address) const noexcept {
  if (length_ < mapped_bits && is_ipv4(address)) return false;
  return same_beginning(first_, address, length_);
}

bool contains(const std::vector<ip_network>& networks, const ip_address& address) noexcept {
  return std::any_of(networks.begin(), networks.end(), [&](const ip_network& each) { return each.contains(address); });
}

}  // namespace understudy::internal
