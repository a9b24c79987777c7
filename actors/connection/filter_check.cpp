// The grammar of RFC 4515, read once from left to right with a depth counter in place of recursion.
#include "understudy/actors/connection/filter_check.hpp"

#include "understudy/messages/name.hpp"

#include <vector>

namespace understudy::internal {
namespace {

// Deeper ones are an attack or a defect; the encoder below us recurses.
constexpr std::size_t max_depth = 100;

bool is_hex(char c) noexcept { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

class filter_reader {
 public:
  explicit filter_reader(std::string_view text) : text_(text) {}

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
      open_.push_back({text_[at_] == '!', 0});
      ++at_;
      return {};
    }
    return item();
  }

  std::string close() {
    if (open_.empty()) return wrong("unexpected ')'");
    if (open_.back().negation && open_.back().parts == 0) return wrong("'!' takes one filter");
    open_.pop_back();
    ++at_;
    return {};
  }

  std::string item() {
    const auto end = text_.find_first_of("=()", at_);
    if (end == std::string_view::npos || text_[end] != '=') return wrong("'=' is missing");
    auto name = text_.substr(at_, end - at_);
    const char last = name.empty() ? '\0' : name.back();
    const bool extensible = last == ':';
    const bool plain = last != '~' && last != '<' && last != '>' && !extensible;
    if (!plain) name.remove_suffix(1);
    if (extensible ? !is_extensible(name) : !is_attribute_description(name)) return wrong("no attribute description");
    at_ = end + 1;
    return value(plain);
  }

  /// [attr][:dn][:rule] of an extensible match; the colon before '=' is off already.
  static bool is_extensible(std::string_view name) noexcept {
    const auto colon = name.find(':');
    const auto attr = name.substr(0, colon);
    if (!attr.empty() && !is_attribute_description(attr)) return false;
    if (colon == std::string_view::npos) return !attr.empty();
    auto rest = name.substr(colon);
    const bool dn = rest == ":dn" || rest == ":DN" || rest.substr(0, 4) == ":dn:" || rest.substr(0, 4) == ":DN:";
    if (dn) rest.remove_prefix(3);
    if (rest.empty()) return !attr.empty();
    return rest.size() > 1 && is_attribute_description(rest.substr(1)) && rest.find(';') == std::string_view::npos;
  }

  std::string value(bool stars) {
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
        if (at_ + 2 >= text_.size() || !is_hex(text_[at_ + 1]) || !is_hex(text_[at_ + 2])) {
          return wrong("'\\' must be followed by two hexadecimal digits");
        }
        at_ += 2;
      }
    }
    return wrong("')' is missing");
  }

  bool at(char c) const noexcept { return at_ < text_.size() && text_[at_] == c; }
  void skip_spaces() noexcept {
    while (at(' ')) ++at_;
  }
  std::string wrong(const char* what) const { return std::string{what} + " at character " + std::to_string(at_ + 1); }

  struct list {
    bool negation;
    std::size_t parts;
  };
  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<list> open_;
};

}  // namespace

std::string check_filter(std::string_view text) { return filter_reader{text}.read(); }

}  // namespace understudy::internal
