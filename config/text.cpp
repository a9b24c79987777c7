// Small text helpers of the configuration.
#include "understudy/config/text.hpp"

#include "understudy/messages/name.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace understudy::internal::config {

namespace {

struct span_unit {
  std::string_view name;
  duration length;
};

constexpr std::array<span_unit, 7> span_units{{{"d", std::chrono::hours{24}},
                                               {"h", std::chrono::hours{1}},
                                               {"m", std::chrono::minutes{1}},
                                               {"s", seconds{1}},
                                               {"ms", milliseconds{1}},
                                               {"us", std::chrono::microseconds{1}},
                                               {"ns", std::chrono::nanoseconds{1}}}};

constexpr std::size_t longest_quote = 60;
constexpr std::size_t longest_name = 64;
constexpr std::string_view replacement = "\xEF\xBF\xBD";

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

}  // namespace

std::optional<duration> span_of(double value, duration unit) {
  const double nanoseconds = value * static_cast<double>(std::chrono::nanoseconds{unit}.count());
  if (!std::isfinite(nanoseconds) || std::abs(nanoseconds) > 9e18) return std::nullopt;
  return std::chrono::duration_cast<duration>(std::chrono::nanoseconds{std::llround(nanoseconds)});
}

std::optional<duration> parse_span(std::string_view text, duration unit) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  if (suffix.empty()) return span_of(number, unit);
  for (const auto& each : span_units)
    if (suffix == each.name) return span_of(number, each.length);
  return std::nullopt;
}

std::string format_span(duration span) {
  if (span == duration::zero()) return "0s";
  const auto* unit = std::find_if(span_units.begin(), span_units.end() - 1,
                                  [&](const span_unit& each) { return span % each.length == duration::zero(); });
  return std::to_string(span / unit->length) + std::string{unit->name};
}

std::string format_number(double number) {
  std::array<char, 64> buffer{};
  const bool whole = std::abs(number) < 1e15 && number == std::floor(number);
  const auto result = whole ? std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::llround(number))
                            : std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  return {buffer.data(), result.ptr};
}

std::string quote(std::string_view text) {
  const std::string clean = well_formed(text.substr(0, longest_quote));
  std::string result = "\"";
  for (const char c : clean) result += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  if (text.size() > longest_quote) result += "...";
  return result + '"';
}

std::string well_formed(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    result += length == 0 ? replacement : text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known) {
  if (word.size() > longest_name) return {};
  const auto lower = ascii_lower(std::string{word});
  std::string_view best;
  std::size_t least = word.size() / 2 + 1;  // further away it is another word
  for (const auto name : known) {
    if (name.size() > lower.size() + least || lower.size() > name.size() + least) continue;
    const std::size_t distance = edit_distance(lower, name);
    if (distance < least || (distance == least && best.empty())) {
      least = distance;
      best = name;
    }
  }
  return best;
}

}  // namespace understudy::internal::config
