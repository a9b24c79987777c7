// Messages of CAF's network protocol (BASP 3) as bytes, sound ones and others.
#pragma once
#include <cstdint>
#include <string>

namespace understudy::test::basp {

// caf/io/basp/message_type.hpp
inline constexpr std::uint8_t server_handshake = 0, client_handshake = 1, message = 2, routed = 3, monitor = 4,
                              down = 5, heartbeat = 6;
inline constexpr std::uint64_t answer_bit = std::uint64_t{1} << 63, normal = std::uint64_t{1} << 60,
                               stream = std::uint64_t{1} << 61;
/// Actors that tests need no others of.
inline constexpr std::uint64_t gateway = 17, sender = 5;
inline const std::string ping = "@<>+@atom+@u64", pong = "@<>+@u64";

inline std::string number(std::uint64_t value, int bytes) {
  std::string text;
  while (bytes-- > 0) text += static_cast<char>(value >> (8 * bytes));
  return text;
}

/// A node id.
inline std::string node(char c) { return std::string(32, c); }

/// Of a message.
struct parts {
  std::uint8_t operation = message, flags = 0;
  std::uint64_t data = 0, source = sender, destination = gateway;
  std::string payload;
  std::int64_t claimed = -1;  ///< length, if another one than it has
};

/// As it goes over the wire.
inline std::string bytes_of(const parts& p) {
  const auto length = p.claimed >= 0 ? static_cast<std::uint64_t>(p.claimed) : p.payload.size();
  return std::string{static_cast<char>(p.operation), 0, 0, static_cast<char>(p.flags)} + number(length, 4) +
         number(p.data, 8) + number(p.source, 8) + number(p.destination, 8) + p.payload;
}

/// A payload: a message of that type, and `more` bytes of it.
inline std::string content(const std::string& signature, std::size_t more = 16) {
  std::string length;
  for (auto n = signature.size(); length.empty() || n != 0; n >>= 7)
    length += static_cast<char>((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
  return std::string(3, '\0') + length + signature + std::string(more, 'v');
}

inline parts request(std::uint64_t id, const std::string& signature = ping, std::size_t more = 16) {
  parts p;
  p.data = normal | id;
  p.payload = content(signature, more);
  return p;
}

inline parts answer(std::uint64_t id, std::uint64_t to, const std::string& signature = pong) {
  parts p;
  p.data = answer_bit | normal | id;
  p.destination = to;
  p.payload = content(signature);
  return p;
}

}  // namespace understudy::test::basp
