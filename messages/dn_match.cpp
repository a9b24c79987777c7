// DNs cut into RDNs and attribute values, each in one spelling.
#include "understudy/messages/dn_match.hpp"

#include "understudy/messages/hex.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <vector>

namespace understudy::internal {
namespace {

// RFC 4514, 3, and what administrators' names are usually made of.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> known_types{
    {{"2.5.4.3", "cn"},
     {"2.5.4.7", "l"},
     {"2.5.4.8", "st"},
     {"2.5.4.10", "o"},
     {"2.5.4.11", "ou"},
     {"2.5.4.6", "c"},
     {"2.5.4.9", "street"},
     {"0.9.2342.19200300.100.1.25", "dc"},
     {"0.9.2342.19200300.100.1.1", "uid"},
     {"commonname", "cn"},
     {"userid", "uid"},
     {"domaincomponent", "dc"},
     {"localityname", "l"},
     {"stateorprovincename", "st"},
     {"organizationname", "o"},
     {"organizationalunitname", "ou"},
     {"countryname", "c"},
     {"streetaddress", "street"}}};

/// What servers take for a space (RFC 4518, 2.2), and for nothing around a type or a value.
bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back()) && (text.size() < 2 || text[text.size() - 2] != '\\'))
    text.remove_suffix(1);
  return text;
}

/// The parts between characters that `is_separator` says to be some, of those that are neither escaped nor within
/// quotes.
template <class Condition>
std::vector<std::string_view> split(std::string_view text, Condition is_separator) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && is_separator(text[i])) {
      parts.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  parts.push_back(text.substr(std::min(begin, text.size())));
  return parts;
}

/// The RDNs. A semicolon is between two of them (RFC 2253, 4); within a type it is the beginning of an option.
std::vector<std::string_view> rdns_of(std::string_view dn) {
  return split(dn, [in_type = true](char c) mutable {
    if (c == '=') in_type = false;
    const bool ends = c == ',' || (c == ';' && !in_type);
    if (ends || c == '+') in_type = true;
    return ends;
  });
}

/// What "#04024869" stands for (RFC 4514, 2.4): the content of a BER string of less than 128 bytes. Empty: it is none.
std::string ber_value(std::string_view text) {
  std::string bytes;
  if (text.size() < 5 || text.front() != '#' || text.size() % 2 == 0) return {};
  for (std::size_t i = 1; i + 1 < text.size(); i += 2) {
    const auto byte = hex_byte(text.substr(i));
    if (!byte) return {};
    bytes += *byte;
  }
  return static_cast<unsigned char>(bytes[1]) == bytes.size() - 2 ? bytes.substr(2) : std::string{};
}

/// `c` of a value, where a run of spaces is one, and none is at its beginning.
void append_folded(std::string& out, char c) {
  if (is_space(c)) c = ' ';
  if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
}

/// With none at its end, in lower case.
std::string folded(std::string out) {
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return ascii_lower(std::move(out));
}

/// The value as it is, in lower case, each run of spaces as one.
std::string value_of(std::string_view text) {
  text = trimmed(text);
  if (auto value = ber_value(text); !value.empty()) return ascii_lower(std::move(value));
  const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  if (quoted) text = text.substr(1, text.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      const auto byte = hex_byte(text.substr(i + 1));
      c = byte.value_or(text[i + 1]);
      i += byte ? 2 : 1;
    }
    append_folded(out, c);
  }
  return folded(std::move(out));
}

/// Options say nothing about which entry it is: servers leave them out.
std::string type_of(std::string_view text) {
  auto type = ascii_lower(std::string{trimmed(text.substr(0, text.find(';')))});
  if (type.rfind("oid.", 0) == 0) type.erase(0, 4);
  for (const auto& [known, name] : known_types)
    if (type == known) return std::string{name};
  return type;
}

/// What separates parts here stands in no type, and is escaped in values.
void append_value(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == ',' || c == '+' || c == '\\') out += '\\';
    out += c;
  }
}

/// Empty when it is no RDN.
std::string rdn_of(std::string_view text) {
  std::vector<std::string> parts;
  for (const auto part : split(text, [](char c) { return c == '+'; })) {
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) return {};
    auto one = type_of(part.substr(0, equals)) + '=';
    append_value(one, value_of(part.substr(equals + 1)));
    parts.push_back(std::move(one));
  }
  std::sort(parts.begin(), parts.end());
  return joined(parts, "+");
}

}  // namespace

std::string comparable_dn(std::string_view dn) {
  if (trimmed(dn).empty()) return {};
  std::vector<std::string> rdns;
  for (const auto part : rdns_of(dn)) {
    rdns.push_back(rdn_of(part));
    if (rdns.back().empty()) return ascii_lower(std::string{trimmed(dn)});
  }
  return joined(rdns, ",");
}

std::string comparable_name(std::string_view name) {
  std::string out;
  for (const char c : name) append_folded(out, c);
  return folded(std::move(out));
}

bool is_at_or_below(std::string_view dn, std::string_view base) {
  if (base.empty() || dn == base) return true;
  if (dn.size() <= base.size() + 1 || dn.substr(dn.size() - base.size()) != base) return false;
  const auto comma = dn.size() - base.size() - 1;
  if (dn[comma] != ',') return false;
  // An escaped one is part of a value: an odd number of backslashes stands before it.
  std::size_t slashes = 0;
  while (slashes < comma && dn[comma - 1 - slashes] == '\\') ++slashes;
  return slashes % 2 == 0;
}

}  // namespace understudy::internal
