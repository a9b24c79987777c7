// Small text helpers of the configuration: spans of time, safe quoting, UTF-8, the nearest of several names.
#pragma once
#include "understudy/messages/time.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::internal::config {

/// `value` units of `unit` as a duration, rounded to nanoseconds; nothing when it is not finite or does not fit.
std::optional<duration> span_of(double value, duration unit);

/// "250ms", "5s", "2m", "1.5h", "1d"; a bare number counts `unit`s. Nothing when it is not a span.
std::optional<duration> parse_span(std::string_view text, duration unit);

/// A span for people and files: the largest unit that leaves a whole number, "1500ms", "2m".
std::string format_span(duration span);

/// A finite number in the fewest digits that read back as the same number; whole ones without a fraction.
std::string format_number(double number);

/// `text` in double quotes for a message: control and ill-formed bytes replaced, cut after 60 bytes.
std::string quote(std::string_view text);

/// `text` with each ill-formed UTF-8 sequence replaced by U+FFFD.
std::string well_formed(std::string_view text);

/// True when `text` is UTF-8 (RFC 3629).
bool is_utf8(std::string_view text);

/// The known name with the smallest edit distance (a swap of neighbours counts as one, case as none)
/// to `word`; empty when none is
/// near enough to be what was meant.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace understudy::internal::config
