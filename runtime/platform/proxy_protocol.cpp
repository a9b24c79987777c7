// Reading the header of a proxy, byte for byte: see proxy_protocol.hpp.
#include "understudy/runtime/platform/proxy_protocol.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace understudy::internal {
namespace {

// The signature is made so that no other protocol begins with it.
constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t start_size = 16;
constexpr std::uint8_t local = 0x20, proxied = 0x21;
constexpr std::uint8_t unspecified = 0x00, tcp_ipv4 = 0x11, tcp_ipv6 = 0x21, unix_stream = 0x31;
constexpr std::size_t ipv4_addresses = 12, ipv6_addresses = 36, unix_addresses = 216;
constexpr std::size_t addition_start = 3;

std::uint8_t byte_at(std::string_view bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }
std::size_t two_bytes_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::size_t>(byte_at(bytes, at)) << 8 | byte_at(bytes, at + 1);
}

proxied_client client_of(int family, std::string_view address, std::size_t port) {
  proxied_client found;
  if (family == AF_INET)
    found.address = mapped_ipv4(address);
  else
    std::copy(address.begin(), address.end(), found.address.begin());
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(family, address.data(), text.data(), text.size());
  const std::string host = family == AF_INET ? std::string{text.data()} : '[' + std::string{text.data()} + ']';
  found.text = host + ':' + std::to_string(port);
  return found;
}

}  // namespace

std::size_t proxy_header_reader::wanted() const noexcept {
  if (status_ != status::reading) return 0;
  const auto whole = bytes_.size() < start_size ? start_size : start_size + two_bytes_at(bytes_, 14);
  return whole - bytes_.size();
}

proxy_header_reader::status proxy_header_reader::take(std::string_view bytes) {
  if (status_ != status::reading) return status_;
  bytes_ += bytes.substr(0, wanted());
  // What is no header is found out at its first byte that is not one's.
  const auto begun = std::min(bytes_.size(), signature.size());
  if (std::string_view{bytes_}.substr(0, begun) != signature.substr(0, begun))
    return fail(bytes_.front() == 'P' ? "it speaks version 1 of the PROXY protocol, or another protocol"
                                      : "it did not name its client by the PROXY protocol, version 2");
  if (bytes_.size() < start_size) return status_;
  if (read_start() != status::reading || bytes_.size() < start_size + two_bytes_at(bytes_, 14)) return status_;
  return read_rest();
}

proxy_header_reader::status proxy_header_reader::read_start() {
  if (const auto command = byte_at(bytes_, 12); command != local && command != proxied)
    return fail("its PROXY header has a version or a command that does not exist");
  if (two_bytes_at(bytes_, 14) > longest - start_size)
    return fail("its PROXY header says that it has " + std::to_string(two_bytes_at(bytes_, 14)) + " bytes; " +
                std::to_string(longest - start_size) + " are the most");
  return status_;
}

proxy_header_reader::status proxy_header_reader::read_rest() {
  const auto rest = std::string_view{bytes_}.substr(start_size);
  // Whatever stands behind it is for nobody then.
  const auto family = byte_at(bytes_, 13);
  if (byte_at(bytes_, 12) == local) return status_ = status::done;
  if (family == unspecified) {
    unnamed_ = true;
    return status_ = status::done;
  }
  const auto size = family == tcp_ipv4      ? ipv4_addresses
                    : family == tcp_ipv6    ? ipv6_addresses
                    : family == unix_stream ? unix_addresses
                                            : 0;
  if (size == 0) return fail("its PROXY header names a client that does not speak TCP");
  if (rest.size() < size) return fail("its PROXY header is shorter than the addresses in it");
  if (!read_additions(rest.substr(size))) return fail("its PROXY header has an addition that is not whole");
  if (family == tcp_ipv4) client_ = client_of(AF_INET, rest.substr(0, 4), two_bytes_at(rest, 8));
  if (family == tcp_ipv6) client_ = client_of(AF_INET6, rest.substr(0, 16), two_bytes_at(rest, 32));
  return status_ = status::done;
}

/// Type, length, value, one after the other; none of them changes who the client is.
bool proxy_header_reader::read_additions(std::string_view bytes) {
  while (!bytes.empty()) {
    if (bytes.size() < addition_start) return false;
    const auto size = addition_start + two_bytes_at(bytes, 1);
    if (bytes.size() < size) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

proxy_header_reader::status proxy_header_reader::fail(std::string problem) {
  problem_ = std::move(problem);
  return status_ = status::malformed;
}

}  // namespace understudy::internal
