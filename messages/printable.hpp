// Text from a server (or a name server, or a file) as people may see it.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace understudy::internal {

/// Appends `text` with everything escaped as \xx that would not stay where it is printed: control characters (C0, DEL
/// and C1), line and paragraph separators, characters that turn the direction of writing round, and bytes that are no
/// UTF-8. What a peer sends can neither begin a line of its own nor speak to a terminal. Every printer uses it.
void append_printable(std::string& out, std::string_view text);
std::string printable(std::string_view text);

/// What is quoted of a text that a peer made, so that nobody's screen or log is filled by it.
inline constexpr std::size_t most_quoted_bytes = 500;
/// And of a list that a peer made, as that of a referral's URIs.
inline constexpr std::size_t most_quoted_items = 10;

/// `text`, or when it is longer than `most` bytes its beginning, cut between two characters, and its length: "…
/// (8388608 bytes)". To be used wherever what a peer said becomes a part of a sentence.
std::string shortened(std::string_view text, std::size_t most = most_quoted_bytes);

/// Appends each byte as \xx.
void append_escaped(std::string& out, std::string_view bytes);

}  // namespace understudy::internal
