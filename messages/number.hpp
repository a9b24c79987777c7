// Numbers that are written as text.
#pragma once
#include <charconv>
#include <optional>
#include <string_view>

namespace understudy::internal {

/// The number that all of `text` is, in decimal; nothing when it is something else, or does not fit.
template <class Number>
std::optional<Number> parse_number(std::string_view text) noexcept {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace understudy::internal
