// Checks the text of a search filter before it is sent.
#pragma once
#include <string>
#include <string_view>

namespace understudy::internal {

/// Empty when `text` is a filter (RFC 4515, with spaces between filters tolerated as most clients do; absolute true and
/// false of RFC 4526), otherwise what is wrong and at which character. Never quotes values: they may be private.
std::string check_filter(std::string_view text);

}  // namespace understudy::internal
