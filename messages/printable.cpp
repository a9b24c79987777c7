// Escapes by code point: see printable.hpp.
#include "understudy/messages/printable.hpp"

#include "understudy/messages/hex.hpp"
#include "understudy/messages/name.hpp"

#include <cstdint>

namespace understudy::internal {
namespace {

bool is_plain(char c) noexcept { return c >= ' ' && c < '\x7f'; }

bool in(std::uint32_t c, std::uint32_t first, std::uint32_t last) noexcept { return c >= first && c <= last; }

/// Unicode: Cc; line and paragraph separator; Bidi_Control; the byte order mark.
bool is_unsafe(std::uint32_t c) noexcept {
  return c < 0x20 || in(c, 0x7f, 0x9f) || c == 0x061c || in(c, 0x200e, 0x200f) || in(c, 0x2028, 0x202e) ||
         in(c, 0x2066, 0x2069) || c == 0xfeff;
}

}  // namespace

void append_escaped(std::string& out, std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    out += "\\x";
    append_hex(out, bytes.substr(i, 1));
  }
}

void append_printable(std::string& out, std::string_view text) {
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && is_plain(text[plain])) ++plain;
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) return;
    const auto length = utf8_sequence(text);
    const auto next = text.substr(0, length == 0 ? 1 : length);
    if (length == 0 || is_unsafe(code_point(next)))
      append_escaped(out, next);
    else
      out += next;
    text.remove_prefix(next.size());
  }
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  append_printable(out, text);
  return out;
}

std::string shortened(std::string_view text, std::size_t most) {
  constexpr std::size_t longest_sequence = 4;
  if (text.size() <= most) return std::string{text};
  auto cut = most;
  const auto is_continuation = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; };
  while (cut > 0 && most - cut < longest_sequence && is_continuation(cut)) --cut;
  // What is no UTF-8 has no characters to cut between.
  if (most - cut == longest_sequence) cut = most;
  return std::string{text.substr(0, cut)} + "… (" + std::to_string(text.size()) + " bytes)";
}

}  // namespace understudy::internal
