// Entries as LDIF, byte for byte as ldapsearch of OpenLDAP prints them.
#include "understudy/tools/ldif_writer.hpp"

#include "understudy/messages/printable.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/tools/base64.hpp"

#include <algorithm>

namespace understudy::cli {

using namespace internal;
namespace {

// ldapsearch folds comments one column later than values.
constexpr std::size_t value_width = 78, comment_width = 79;

bool is_graphic(char c) noexcept { return c > ' ' && c < '\x7f'; }
bool is_printable(char c) noexcept { return c >= ' ' && c < '\x7f'; }

bool always_base64(std::string_view name) {
  return name == "userPassword" || name == "2.5.4.35" || name.find(";binary") != std::string_view::npos;
}

// Stricter than SAFE-STRING of RFC 2849 (control characters are unsafe too): ldapsearch's own rule.
bool is_safe(std::string_view value) {
  return is_graphic(value.front()) && value.front() != ':' && value.front() != '<' && is_graphic(value.back()) &&
         std::all_of(value.begin(), value.end(), is_printable);
}

// Appends `text` as one logical line, folded.
void append_folded(std::string& out, std::string_view text, const std::size_t line_width) {
  auto width = line_width;
  while (text.size() > width) {
    out.append(text.substr(0, width));
    out += "\n ";
    text.remove_prefix(width);
    width = line_width - 1;
  }
  out.append(text);
  out += '\n';
}

// A hostile server may call an attribute anything: its name must neither end the line nor turn the entry into a change
// record. What could is escaped, so that no reader of LDIF takes it for a name.
std::string safe_name(std::string_view name) {
  constexpr std::string_view keywords[] = {"dn",     "changetype",   "control",    "version",
                                           "newrdn", "deleteoldrdn", "newsuperior"};
  const bool keyword = std::any_of(std::begin(keywords), std::end(keywords),
                                   [&](std::string_view word) { return same_name(name, word); });
  std::string safe;
  for (const char c : name) {
    const bool special = safe.empty() && (keyword || c == '#' || c == '-');
    if (is_graphic(c) && c != ':' && !special)
      safe += c;
    else
      append_escaped(safe, {&c, 1});
  }
  return safe.empty() ? "\\x" : safe;
}

void write_value(std::string& out, std::string_view name, std::string_view value) {
  std::string line{name};
  if (value.empty())
    line += ':';
  else if (!always_base64(name) && is_safe(value))
    line.append(": ").append(value);
  else
    line.append(":: ").append(base64_encode(value));
  append_folded(out, line, value_width);
}

}  // namespace

void write_ldif(std::string& out, const entry& entry) {
  write_value(out, "dn", entry.dn);
  for (const auto& a : entry.attributes) {
    const auto name = safe_name(a.name);
    for (const auto& value : a.values) write_value(out, name, value);
  }
  out += '\n';
}

void write_ldif_reference(std::string& out, const std::vector<std::string>& urls) {
  for (const auto& url : urls) append_folded(out, "# ref" + printable(url), comment_width);
  out += '\n';
}

void write_ldif(std::string& out, const result& found) {
  std::size_t next = 0;
  const auto position = [&](std::size_t i) {
    return i < found.reference_positions.size() ? found.reference_positions[i] : found.entries.size();
  };
  const auto references_before = [&](std::size_t entries) {
    for (; next < found.references.size() && position(next) <= entries; ++next)
      write_ldif_reference(out, found.references[next]);
  };
  for (std::size_t i = 0; i < found.entries.size(); ++i) {
    references_before(i);
    write_ldif(out, found.entries[i]);
  }
  references_before(found.entries.size());
}

}  // namespace understudy::cli
