// Builds and checks distinguished names (RFC 4514).
#include "understudy/messages/dn.hpp"

#include "understudy/messages/name.hpp"

#include <stdexcept>

namespace understudy::dn {
namespace {

bool is_special(char c) noexcept { return std::string_view{"\"+,;<>\\="}.find(c) != std::string_view::npos; }
bool is_hex(char c) noexcept { return std::string_view{"0123456789abcdefABCDEF"}.find(c) != std::string_view::npos; }

std::string at(std::size_t position, const std::string& what) {
  return what + " at character " + std::to_string(position + 1);
}

// Walks over one attribute value; stops at the ',' or '+' (or ';', which RFC 2253 allowed) that ends it.
std::string check_value(std::string_view text, std::size_t& i) {
  while (i < text.size() && text[i] != ',' && text[i] != '+' && text[i] != ';') {
    if (text[i] == '\\') {
      const bool pair = i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2]);
      const bool single = i + 1 < text.size() && (is_special(text[i + 1]) || text[i + 1] == ' ' || text[i + 1] == '#');
      if (!pair && !single)
        return at(i, "a backslash that escapes nothing (write \\xx or \\ before a special character)");
      i += pair ? 3 : 2;
    } else if (text[i] == '\0') {
      return at(i, "a NUL byte (write \\00)");
    } else if (text[i] == '"' || text[i] == '<' || text[i] == '>') {
      return at(i, std::string{"an unescaped "} + text[i]);
    } else {
      ++i;
    }
  }
  return {};
}

}  // namespace

std::string escape(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (std::size_t i = 0; i < value.size();) {
    const char c = value[i];
    const auto length = utf8_sequence(value.substr(i));
    const bool edge_space = c == ' ' && (i == 0 || i + 1 == value.size());
    if (length == 0 || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      append_escaped_byte(out, c);
      ++i;
      continue;
    }
    if (is_special(c) || edge_space || (c == '#' && i == 0)) out += '\\';
    out += value.substr(i, length);
    i += length;
  }
  return out;
}

std::string rdn(std::string_view attr, std::string_view value) {
  require_attribute_description(attr);
  if (attr.find(';') != std::string_view::npos)
    throw std::invalid_argument("a DN takes no attribute options: \"" + std::string{attr} + "\"");
  return std::string{attr} + "=" + escape(value);
}

std::string rdn(const std::vector<std::pair<std::string, std::string>>& parts) {
  if (parts.empty()) throw std::invalid_argument("an RDN needs at least one attribute");
  std::string text;
  for (const auto& [attr, value] : parts) text += (text.empty() ? "" : "+") + rdn(attr, value);
  return text;
}

std::string child(std::string_view rdn, std::string_view parent) {
  if (rdn.empty()) throw std::invalid_argument("a child needs an RDN");
  return parent.empty() ? std::string{rdn} : std::string{rdn} + "," + std::string{parent};
}

std::string check(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto start = i;
    while (i < text.size() && text[i] == ' ') ++i;
    const auto equals = text.find('=', i);
    if (equals == std::string_view::npos) return at(start, "a part without \"attribute=\"");
    auto type = text.substr(i, equals - i);
    while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
    if (!is_attribute_description(type)) return at(i, "\"" + std::string{type} + "\", which is no attribute type,");
    i = equals + 1;
    if (auto problem = check_value(text, i); !problem.empty()) return problem;
    if (i == text.size()) break;
    if (++i == text.size()) return at(i - 1, "a separator with nothing behind it");
  }
  return {};
}

}  // namespace understudy::dn
