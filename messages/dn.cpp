// Builds distinguished names (RFC 4514).
#include "understudy/messages/dn.hpp"

#include "understudy/messages/hex.hpp"
#include "understudy/messages/name.hpp"
#include "understudy/messages/text.hpp"

#include <stdexcept>

namespace understudy::dn {

using namespace internal;
namespace {

bool is_special(char c) noexcept { return std::string_view{"\"+,;<>\\="}.find(c) != std::string_view::npos; }

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
  return joined(parts, "+", [](const auto& part) { return rdn(part.first, part.second); });
}

std::string child(std::string_view rdn, std::string_view parent) {
  if (rdn.empty()) throw std::invalid_argument("a child needs an RDN");
  return parent.empty() ? std::string{rdn} : std::string{rdn} + "," + std::string{parent};
}

std::string first_value(std::string_view dn) {
  const auto equals = dn.find('=');
  if (equals == std::string_view::npos || dn.find_first_of(",+;\\") < equals) return {};
  auto text = dn.substr(equals + 1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  if (text.empty() || text.front() == '#') return {};
  std::string value;
  std::size_t meant = 0;  // what was escaped, spaces too, is a part of the value
  while (!text.empty() && text.find_first_of(",+;") != 0) {
    if (text.front() != '\\') {
      value += text.front();
      text.remove_prefix(1);
      if (value.back() != ' ') meant = value.size();
      continue;
    }
    const auto byte = hex_byte(text.substr(1));
    if (!byte && text.size() < 2) return {};
    value += byte ? *byte : text[1];
    text.remove_prefix(byte ? 3 : 2);
    meant = value.size();
  }
  value.resize(meant);
  return value;
}

}  // namespace understudy::dn
