// The grammar of RFC 4515, read once from left to right with a depth counter in place of recursion.
#include "understudy/actors/connection/filter_codec.hpp"

#include "understudy/messages/hex.hpp"
#include "understudy/messages/name.hpp"

#include <optional>
#include <vector>

namespace understudy::internal {
namespace {

// Deeper ones are an attack or a defect; servers recurse.
constexpr std::size_t max_depth = 100;

// Filter choices (RFC 4511, 4.5.1.7).
constexpr std::uint8_t filter_and = 0xa0, filter_or = 0xa1, filter_not = 0xa2, filter_equality = 0xa3,
                       filter_substrings = 0xa4, filter_greater = 0xa5, filter_less = 0xa6, filter_present = 0x87,
                       filter_approx = 0xa8, filter_extensible = 0xa9;
constexpr std::uint8_t substring_initial = 0x80, substring_any = 0x81, substring_final = 0x82;
constexpr std::uint8_t match_rule = 0x81, match_type = 0x82, match_value = 0x83, match_dn_attributes = 0x84;

/// [attr][:dn][:rule] of an extensible match.
struct extensible_match {
  std::string_view attribute, rule;
  bool dn = false;
};

class filter_encoder {
 public:
  filter_encoder(std::string_view text, ber_writer& out) : text_(text), out_(out) {}

  std::string read() {
    if (text_.empty()) return "the filter is empty";
    skip_spaces();
    if (!at('(')) return wrong("a filter starts with '('");
    do {
      if (auto problem = step(); !problem.empty()) return problem;
    } while (!open_.empty());
    skip_spaces();
    return at_ == text_.size() ? std::string{} : wrong("nothing may follow the filter");
  }

 private:
  /// One '(' with what it opens, or one ')'.
  std::string step() {
    skip_spaces();
    if (at(')')) return close();
    if (!at('(')) return wrong(at_ == text_.size() ? "')' is missing" : "'(' or ')' expected");
    if (!open_.empty() && open_.back().negation && open_.back().parts == 1) return wrong("'!' takes one filter");
    if (!open_.empty()) ++open_.back().parts;
    ++at_;
    skip_spaces();
    if (at('&') || at('|') || at('!')) {
      if (open_.size() >= max_depth) return wrong("filters are nested too deeply");
      const char kind = text_[at_++];
      const auto tag = kind == '&' ? filter_and : kind == '|' ? filter_or : filter_not;
      open_.push_back({kind == '!', 0, out_.open(tag)});
      return {};
    }
    return item();
  }

  std::string close() {
    if (open_.empty()) return wrong("unexpected ')'");
    if (open_.back().negation && open_.back().parts == 0) return wrong("'!' takes one filter");
    out_.close(open_.back().begin);
    open_.pop_back();
    ++at_;
    return {};
  }

  std::string item() {
    // A loop, since names are short: find_first_of() calls memchr for each character.
    auto end = at_;
    while (end < text_.size() && text_[end] != '=' && text_[end] != '(' && text_[end] != ')') ++end;
    if (end == text_.size() || text_[end] != '=') return wrong("'=' is missing");
    auto name = text_.substr(at_, end - at_);
    const char last = name.empty() ? '\0' : name.back();
    const bool extensible = last == ':';
    const bool plain = last != '~' && last != '<' && last != '>' && !extensible;
    if (!plain) name.remove_suffix(1);
    const auto match = extensible ? read_extensible(name) : std::nullopt;
    if (extensible ? !match : !is_attribute_description(name)) return wrong("no attribute description");
    at_ = end + 1;
    const auto begin = at_;
    if (auto problem = skip_value(plain); !problem.empty()) return problem;
    const auto value = text_.substr(begin, at_ - 1 - begin);
    if (match)
      put(*match, value);
    else if (!plain)
      put(last == '~' ? filter_approx : last == '<' ? filter_less : filter_greater, name, value);
    else if (value == "*")
      out_.octets(name, filter_present);
    else if (value.find('*') != std::string_view::npos)
      put_substrings(name, value);
    else
      put(filter_equality, name, value);
    return {};
  }

  /// The colon before '=' is off already.
  static std::optional<extensible_match> read_extensible(std::string_view name) {
    extensible_match m;
    const auto colon = name.find(':');
    m.attribute = name.substr(0, colon);
    if (!m.attribute.empty() && !is_attribute_description(m.attribute)) return std::nullopt;
    auto rest = colon == std::string_view::npos ? std::string_view{} : name.substr(colon);
    m.dn = rest == ":dn" || rest == ":DN" || rest.substr(0, 4) == ":dn:" || rest.substr(0, 4) == ":DN:";
    if (m.dn) rest.remove_prefix(3);
    if (rest.empty()) return m.attribute.empty() ? std::nullopt : std::optional{m};
    m.rule = rest.substr(1);
    const bool good = is_attribute_description(m.rule) && m.rule.find(';') == std::string_view::npos;
    return good ? std::optional{m} : std::nullopt;
  }

  /// Until behind the ')' that ends it.
  std::string skip_value(bool stars) {
    char before = '\0';
    for (; at_ < text_.size(); before = text_[at_], ++at_) {
      const char c = text_[at_];
      if (c == ')') {
        ++at_;
        return {};
      }
      if (c == '\0' || c == '(') return wrong("this character must be escaped in a value");
      if (c == '*' && !stars) return wrong("'*' must be escaped here");
      if (c == '*' && before == '*') return wrong("two '*' in a row");
      if (c == '\\') {
        if (!hex_byte(text_.substr(at_ + 1))) return wrong("'\\' must be followed by two hexadecimal digits");
        at_ += 2;
      }
    }
    return wrong("')' is missing");
  }

  void put(std::uint8_t tag, std::string_view attribute, std::string_view value) {
    const auto begin = out_.open(tag);
    out_.octets(attribute);
    put_value(value, ber_tag::octet_string);
    out_.close(begin);
  }
  void put(const extensible_match& match, std::string_view value) {
    const auto begin = out_.open(filter_extensible);
    if (!match.rule.empty()) out_.octets(match.rule, match_rule);
    if (!match.attribute.empty()) out_.octets(match.attribute, match_type);
    put_value(value, match_value);
    if (match.dn) out_.octets("\xff", match_dn_attributes);
    out_.close(begin);
  }
  void put_substrings(std::string_view attribute, std::string_view value) {
    const auto all = out_.open(filter_substrings);
    out_.octets(attribute);
    const auto pieces = out_.open(ber_tag::sequence);
    for (std::size_t begin = 0;;) {
      const auto star = value.find('*', begin);
      const bool first = begin == 0, last = star == std::string_view::npos;
      const auto piece = value.substr(begin, last ? star : star - begin);
      if (!piece.empty()) put_value(piece, first ? substring_initial : last ? substring_final : substring_any);
      if (last) break;
      begin = star + 1;
    }
    out_.close(pieces);
    out_.close(all);
  }
  /// Its escapes resolved.
  void put_value(std::string_view value, std::uint8_t tag) {
    if (value.find('\\') == std::string_view::npos) return out_.octets(value, tag);
    const auto begin = out_.open(tag);
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (value[i] == '\\') {
        out_.raw(*hex_byte(value.substr(i + 1)));
        i += 2;
      } else {
        out_.raw(value[i]);
      }
    }
    out_.close(begin);
  }

  bool at(char c) const noexcept { return at_ < text_.size() && text_[at_] == c; }
  void skip_spaces() noexcept {
    while (at(' ')) ++at_;
  }
  std::string wrong(const char* problem) const {
    return std::string{problem} + " at character " + std::to_string(at_ + 1);
  }

  struct list {
    bool negation;
    std::size_t parts;
    std::size_t begin;  ///< of its contents
  };
  std::string_view text_;
  ber_writer& out_;
  std::size_t at_ = 0;
  std::vector<list> open_;
};

}  // namespace

std::string encode_filter(std::string_view text, ber_writer& out) { return filter_encoder{text, out}.read(); }

}  // namespace understudy::internal
