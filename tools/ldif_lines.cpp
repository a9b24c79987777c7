// Unfolds LDIF and decodes its three kinds of values (RFC 2849).
#include "understudy/tools/ldif_lines.hpp"

#include "understudy/config/files.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/tools/base64.hpp"

#include <algorithm>

namespace understudy::cli {

using namespace internal;
namespace {

constexpr std::size_t max_value_bytes = 64 * 1024 * 1024;

// One logical line as it stands, unfolded.
struct raw_line {
  std::size_t number;
  std::string text;
};

std::string_view next_physical_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  auto line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

// Comments may be folded too, so they go only once all is unfolded.
std::vector<raw_line> unfold(std::string_view text) {
  std::vector<raw_line> lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto line = next_physical_line(text);
    if (line.empty() || line.front() != ' ')
      lines.push_back({number, std::string{line}});
    else if (lines.empty() || lines.back().text.empty())
      throw ldif_error(number, "a continuation line with nothing before it to continue");
    else
      lines.back().text.append(line.substr(1));
  }
  lines.erase(std::remove_if(lines.begin(), lines.end(),
                             [](const raw_line& l) { return !l.text.empty() && l.text.front() == '#'; }),
              lines.end());
  return lines;
}

std::string read_url(std::string_view url, std::size_t number) {
  constexpr std::string_view scheme = "file://";
  if (url.substr(0, scheme.size()) != scheme)
    throw ldif_error(number, "only file:// URLs can be read, not \"" + std::string{url} + "\"");
  auto path = url.substr(scheme.size());
  constexpr std::string_view here = "localhost/";
  if (path.substr(0, here.size()) == here) path.remove_prefix(here.size() - 1);
  const auto name = percent_decoded(path);
  if (!name) throw ldif_error(number, "the URL has a \"%\" without two hexadecimal digits");
  if (name->find('\0') != std::string::npos) throw ldif_error(number, "the URL has a NUL byte in it");
  auto file = config::read_whole(*name, max_value_bytes);
  if (!file.problem.empty()) throw ldif_error(number, "cannot read " + std::string{url} + ": " + file.problem);
  return std::move(file.text);
}

ldif_line split(const raw_line& raw) {
  if (raw.text == "-") return {raw.number, "-", {}};
  const auto colon = raw.text.find(':');
  if (colon == std::string::npos || colon == 0)
    throw ldif_error(raw.number, "expected \"name: value\", found \"" + raw.text.substr(0, 40) + "\"");
  auto spec = std::string_view{raw.text}.substr(colon + 1);
  const char kind = spec.empty() ? ' ' : spec.front();
  if (kind == ':' || kind == '<') spec.remove_prefix(1);
  spec.remove_prefix(std::min(spec.find_first_not_of(' '), spec.size()));
  ldif_line line{raw.number, raw.text.substr(0, colon), {}};
  if (kind == '<') {
    line.value = read_url(spec, raw.number);
  } else if (kind == ':') {
    auto bytes = base64_decode(spec);
    if (!bytes) throw ldif_error(raw.number, "the value of " + line.name + " is no base64");
    line.value = std::move(*bytes);
  } else {
    line.value = std::string{spec};
  }
  return line;
}

// The version line may stand in front of the first record, with or without an empty line between.
void take_version(std::vector<ldif_record>& records) {
  if (records.empty() || !same_name(records.front().front().name, "version")) return;
  auto& first = records.front();
  if (first.front().value != "1")
    throw ldif_error(first.front().number, "LDIF version " + first.front().value + " is not known, only 1 is");
  first.erase(first.begin());
  if (first.empty()) records.erase(records.begin());
}

}  // namespace

ldif_error::ldif_error(std::size_t line, const std::string& problem)
    : std::runtime_error("line " + std::to_string(line) + ": " + problem), line_(line) {}

std::vector<ldif_record> read_ldif_records(std::string_view text) {
  std::vector<ldif_record> records;
  bool open = false;
  for (const auto& raw : unfold(text)) {
    if (raw.text.empty()) {
      open = false;
      continue;
    }
    if (!open) records.emplace_back();
    open = true;
    records.back().push_back(split(raw));
  }
  take_version(records);
  return records;
}

}  // namespace understudy::cli
