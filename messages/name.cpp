// Attribute descriptions (RFC 4512), UTF-8 sequences (RFC 3629) and escaped bytes.
#include "understudy/messages/name.hpp"

#include "understudy/messages/hex.hpp"

#include <algorithm>
#include <stdexcept>

namespace understudy::internal {
namespace {

bool is_alpha(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_keychar(char c) noexcept { return is_alpha(c) || is_digit(c) || c == '-'; }

// Every name of a filter and of an answer comes through here: no call for each character.
bool are_keychars(std::string_view t) noexcept {
  return std::all_of(t.begin(), t.end(), [](char c) { return is_keychar(c); });
}

bool is_keystring(std::string_view t) noexcept { return !t.empty() && is_alpha(t.front()) && are_keychars(t); }

bool is_number(std::string_view t) noexcept {
  return !t.empty() && std::all_of(t.begin(), t.end(), is_digit) && (t.size() == 1 || t.front() != '0');
}

bool is_numeric_oid(std::string_view t) noexcept {
  if (t.find('.') == std::string_view::npos) return false;
  for (;;) {
    const auto dot = t.find('.');
    if (!is_number(t.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    t.remove_prefix(dot + 1);
  }
}

bool is_option(std::string_view t) noexcept { return !t.empty() && are_keychars(t); }

// The valid second bytes of a sequence depend on the first: no overlong forms, no surrogates, nothing past U+10FFFF.
bool second_byte_fits(unsigned char first, unsigned char second) noexcept {
  switch (first) {
    case 0xE0:
      return second >= 0xA0 && second <= 0xBF;
    case 0xED:
      return second >= 0x80 && second <= 0x9F;
    case 0xF0:
      return second >= 0x90 && second <= 0xBF;
    case 0xF4:
      return second >= 0x80 && second <= 0x8F;
    default:
      return second >= 0x80 && second <= 0xBF;
  }
}

std::size_t expected_length(unsigned char first) noexcept {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) return 3;
  if (first >= 0xF0 && first <= 0xF4) return 4;
  return 0;
}

}  // namespace

bool is_attribute_description(std::string_view text) noexcept {
  const auto semicolon = text.find(';');
  const auto type = text.substr(0, semicolon);
  if (!is_keystring(type) && !is_numeric_oid(type)) return false;
  while (text.find(';') != std::string_view::npos) {
    text.remove_prefix(text.find(';') + 1);
    if (!is_option(text.substr(0, text.find(';')))) return false;
  }
  return true;
}

void require_attribute_description(std::string_view text) {
  if (is_attribute_description(text)) return;
  throw std::invalid_argument("\"" + std::string{text} +
                              "\" is not an attribute description: use a name such as uid or cn;lang-de, or a "
                              "numeric OID (RFC 4512, 2.5)");
}

void append_escaped_byte(std::string& out, char byte) {
  out += '\\';
  append_hex(out, {&byte, 1});
}

std::size_t utf8_sequence(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto length = expected_length(byte(0));
  if (length <= 1) return length;
  if (text.size() < length || !second_byte_fits(byte(0), byte(1))) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  return length;
}

std::uint32_t code_point(std::string_view sequence) noexcept {
  const auto first = static_cast<unsigned char>(sequence.front());
  if (sequence.size() == 1) return first;
  std::uint32_t point = first & (0x7fU >> sequence.size());
  for (const char c : sequence.substr(1)) point = point << 6 | (static_cast<unsigned char>(c) & 0x3fU);
  return point;
}

}  // namespace understudy::internal
