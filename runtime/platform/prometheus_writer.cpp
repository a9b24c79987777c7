// Families, labels and numbers as Prometheus reads them.
#include "understudy/runtime/platform/prometheus_writer.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace understudy::internal {
namespace {

constexpr std::string_view name_of(prometheus_writer::type kind) {
  return kind == prometheus_writer::type::counter ? "counter"
         : kind == prometheus_writer::type::gauge ? "gauge"
                                                  : "histogram";
}

/// The shortest decimal that reads back the same; with an exponent only where it would be endless without.
std::string text_of(double value) {
  std::array<char, 32> text{};
  auto written = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (written.ec != std::errc{}) written = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), written.ptr};
}

/// Backslashes and line ends, and quotes where `quoted`, are escaped.
void append_escaped_text(std::string& out, std::string_view text, bool quoted) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || (quoted && c == '"')) out += '\\';
    out += c;
  }
}

}  // namespace

void prometheus_writer::family(std::string_view name, type kind, std::string_view help) {
  name_ = name;
  text_.append("# HELP ").append(name_).append(" ");
  append_escaped_text(text_, help, false);
  text_.append("\n# TYPE ").append(name_).append(" ").append(name_of(kind)).append("\n");
}

void prometheus_writer::sample(const labels& of, std::uint64_t value) { line("", of, std::to_string(value)); }
void prometheus_writer::sample(const labels& of, double value) { line("", of, text_of(value)); }

void prometheus_writer::histogram(std::span<const double> bounds, std::span<const std::uint64_t> at_most,
                                  std::uint64_t count, double sum) {
  for (std::size_t i = 0; i < std::min(bounds.size(), at_most.size()); ++i)
    line("_bucket", {{"le", text_of(bounds[i])}}, std::to_string(at_most[i]));
  line("_bucket", {{"le", "+Inf"}}, std::to_string(count));
  line("_sum", {}, text_of(sum));
  line("_count", {}, std::to_string(count));
}

void prometheus_writer::line(std::string_view suffix, const labels& of, std::string_view value) {
  text_.append(name_).append(suffix);
  for (std::size_t i = 0; i < of.size(); ++i) {
    text_.append(i == 0 ? "{" : ",").append(of[i].first).append("=\"");
    append_escaped_text(text_, of[i].second, true);
    text_ += '"';
  }
  text_.append(of.empty() ? " " : "} ").append(value).append("\n");
}

}  // namespace understudy::internal
