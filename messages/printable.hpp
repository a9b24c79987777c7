// Text from a server (or a name server, or a file) as people may see it.
#pragma once
#include <string>
#include <string_view>

namespace understudy::internal {

/// Appends `text` with everything escaped as \xx that would not stay where it is printed: control characters (C0, DEL
/// and C1), line and paragraph separators, characters that turn the direction of writing round, and bytes that are no
/// UTF-8. What a peer sends can neither begin a line of its own nor speak to a terminal. Every printer uses it.
void append_printable(std::string& out, std::string_view text);
std::string printable(std::string_view text);

/// Appends each byte as \xx.
void append_escaped(std::string& out, std::string_view bytes);

}  // namespace understudy::internal
