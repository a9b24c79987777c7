// Bytes as hexadecimal digits, and back: see hex.hpp.
#include "understudy/messages/hex.hpp"

namespace understudy::internal {
namespace {

int value_of(char digit) noexcept {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace

void append_hex(std::string& out, std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
}

std::optional<char> hex_byte(std::string_view text) noexcept {
  if (text.size() < 2) return std::nullopt;
  const int high = value_of(text[0]), low = value_of(text[1]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high << 4 | low);
}

}  // namespace understudy::internal
