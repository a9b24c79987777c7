// Base64 (RFC 4648, section 4) as LDIF needs it.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace understudy::cli {

/// The encoding of `bytes`, padded, in one line.
std::string base64_encode(std::string_view bytes);

/// The bytes behind `text`, or nothing when it is not padded base64 of the standard alphabet.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace understudy::cli
