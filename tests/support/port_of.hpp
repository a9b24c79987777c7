// The port in the text of an address.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>

namespace understudy::test {

/// Of "127.0.0.1:389", "[::1]:389" or "ldap://127.0.0.1:389"; throws std::invalid_argument when there is none.
inline std::uint16_t port_of(const std::string& address) {
  const auto number = std::stoi(address.substr(address.rfind(':') + 1));
  if (number < 0 || number > UINT16_MAX) throw std::invalid_argument(address + " has no port");
  return static_cast<std::uint16_t>(number);
}

}  // namespace understudy::test
