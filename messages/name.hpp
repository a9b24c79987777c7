// What counts as the name of an attribute, and escaped bytes: shared by the builders of filters and DNs.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace understudy::internal {

/// True for an attribute description (RFC 4512, 2.5): a keystring or a numeric OID, then options (";lang-de").
bool is_attribute_description(std::string_view text) noexcept;

/// Throws std::invalid_argument that names `text` when it is none.
void require_attribute_description(std::string_view text);

/// Adds `\xx` for that byte.
void append_escaped_byte(std::string& out, char byte);

/// The length of the well-formed UTF-8 sequence at the start of `text` (RFC 3629), or 0.
std::size_t utf8_sequence(std::string_view text) noexcept;
/// The character that a well-formed sequence stands for.
std::uint32_t code_point(std::string_view sequence) noexcept;

}  // namespace understudy::internal
