// Small text helpers for every folder: ASCII letters whatever the locale, percent-encoding, lists and sentences within
// sentences.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace understudy::internal {

/// `c` in lower case if it is an ASCII letter.
constexpr char ascii_lower(char c) noexcept { return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }
/// `text` with its ASCII letters in lower case.
std::string ascii_lower(std::string text);

/// True when both are the same name of an attribute, a scheme or a keyword: the case of ASCII letters does not count
/// (RFC 4512, 2.5).
bool same_name(std::string_view a, std::string_view b) noexcept;

/// `text` with each "%xx" (RFC 3986, 2.1) replaced by its byte; nothing when a "%" is not followed by two hexadecimal
/// digits.
std::optional<std::string> percent_decoded(std::string_view text);

/// Puts `item` at the end of a list in words, with `separator` before it unless it is the first.
void append_item(std::string& list, std::string_view separator, std::string_view item);
/// Such a list of all, each as `text_of` has it.
template <class Range, class TextOf = std::identity>
std::string joined(const Range& all, std::string_view separator, TextOf text_of = {}) {
  std::string list;
  for (const auto& each : all) append_item(list, separator, std::invoke(text_of, each));
  return list;
}

/// A sentence, to be put into another one.
std::string_view without_full_stop(std::string_view sentence) noexcept;

}  // namespace understudy::internal
