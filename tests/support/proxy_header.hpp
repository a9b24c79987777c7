// Headers of the PROXY protocol, version 2, as a proxy writes them.
#pragma once
#include <cstdint>
#include <string>

namespace understudy::test {

/// With any command, family and content behind the two.
inline std::string proxy_header(char version_and_command, char family, const std::string& rest) {
  std::string header{"\r\n\r\n\0\r\nQUIT\n", 12};
  header += version_and_command;
  header += family;
  header += static_cast<char>(rest.size() >> 8);
  header += static_cast<char>(rest.size() & 0xff);
  return header + rest;
}

/// Of a client of IPv4: "\xc0\0\x02\x07" is 192.0.2.7. `more`: additions.
inline std::string proxy_header_of(const std::string& four_bytes, std::uint16_t port, const std::string& more = {}) {
  const std::string ports{static_cast<char>(port >> 8), static_cast<char>(port & 0xff), '\x01', '\x85'};
  return proxy_header('\x21', '\x11', four_bytes + std::string{"\x0a\0\0\x01", 4} + ports + more);
}

}  // namespace understudy::test
