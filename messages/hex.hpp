// Bytes as hexadecimal digits, and back.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace understudy::internal {

/// Adds the two digits of each byte, in lower case.
void append_hex(std::string& out, std::string_view bytes);

/// The byte that the first two characters of `text` spell, in either case; nothing when they are no digits, or fewer.
std::optional<char> hex_byte(std::string_view text) noexcept;

}  // namespace understudy::internal
