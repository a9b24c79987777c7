// TOML text to a tree, by toml++.
#include "understudy/config/toml_tree.hpp"
#include "understudy/config/text.hpp"

#include <toml++/toml.h>

#include <map>

namespace understudy::internal::config {

namespace {

constexpr std::size_t max_dots_in_a_line = 64;
constexpr std::size_t max_open_brackets = 64;

place place_of(const toml::source_position& position, const std::string& name) {
  const std::string spot = std::to_string(position.line) + ':' + std::to_string(position.column);
  return {name.empty() ? spot : name + ':' + spot,
          (std::uint64_t{position.line} << 32) | std::uint64_t{position.column}};
}

/// Walks over a text's tokens just far enough to know how deeply its tables can nest. toml++ builds and destroys dotted
/// keys recursively and without a limit, so a hostile text could exhaust the stack.
class nesting_scan {
 public:
  explicit nesting_scan(std::string_view text) : rest_(text) {}

  /// The line of the first place that is nested too deeply, 0 when there is none.
  std::uint32_t too_deep() {
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (c == '#')
        skip_to_line_end();
      else if (c == '"' || c == '\'')
        skip_string(c);
      else if (!take(c))
        return line_;
    }
    return 0;
  }

 private:
  bool take(char c) {
    advance(1);
    if (c == '.') ++dots_;
    if (c == '[' || c == '{') ++open_;
    if ((c == ']' || c == '}') && open_ > 0) --open_;
    return dots_ <= max_dots_in_a_line && open_ <= max_open_brackets;
  }

  void advance(std::size_t count) {
    for (const char c : rest_.substr(0, count)) {
      if (c != '\n') continue;
      ++line_;
      dots_ = 0;
    }
    rest_.remove_prefix(std::min(count, rest_.size()));
  }

  void skip_to_line_end() { rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size())); }

  void skip_string(char quote) {
    const std::string fence(3, quote);
    const bool multi_line = rest_.substr(0, 3) == fence;
    advance(multi_line ? 3 : 1);
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (!multi_line && c == '\n') return;  // unterminated: toml++ stops here too
      if (multi_line && rest_.substr(0, 3) == fence) return leave_fence(quote);
      advance(quote == '"' && c == '\\' ? 2 : 1);
      if (!multi_line && c == quote) return;
    }
  }

  void leave_fence(char quote) {
    advance(3);
    for (int i = 0; i < 2 && !rest_.empty() && rest_.front() == quote; ++i) advance(1);  // quotes that are content
  }

  std::string_view rest_;
  std::uint32_t line_ = 1;
  std::size_t dots_ = 0;
  std::size_t open_ = 0;
};

/// Numbers that do not fit into 64 bits, by their places. toml++ gives the whole text up at the first one.
class huge_numbers {
 public:
  /// Replaces the number that `error` speaks of by a string of its length, and remembers it; false when it speaks of
  /// something else.
  bool hide(std::string& text, const toml::parse_error& error) {
    const std::string_view what = error.description();
    const bool about_size = what.find("not representable in 64 bits") != std::string_view::npos ||
                            what.find("could not be interpreted as a value") != std::string_view::npos;
    if (!about_size || tokens_.size() >= most) return false;
    const auto end = offset_of(text, error.source().begin);
    auto begin = std::min(end, text.size());
    while (begin > 0 && is_part(text[begin - 1])) --begin;
    const auto size = end - begin;
    if (end > text.size() || size < 3) return false;
    auto position = error.source().begin;
    position.column -= static_cast<toml::source_index>(size);  // a number is plain ASCII
    tokens_.emplace(place_of(position, {}).order, text.substr(begin, size));
    text[begin] = text[end - 1] = '"';
    return true;
  }

  const std::string* at(const place& where) const {
    const auto found = tokens_.find(where.order);
    return found == tokens_.end() ? nullptr : &found->second;
  }

 private:
  static constexpr std::size_t most = 64;

  static bool is_part(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '+' ||
           c == '-' || c == '.';
  }

  /// Lines and columns begin at 1; a column is a code point.
  static std::size_t offset_of(std::string_view text, const toml::source_position& position) {
    std::size_t at = 0;
    for (toml::source_index line = 1; line < position.line; ++line) {
      at = text.find('\n', at);
      if (at == std::string_view::npos) return text.size();
      ++at;
    }
    for (toml::source_index column = 1; column < position.column && at < text.size(); ++column) {
      ++at;
      while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    }
    return at;
  }

  std::map<std::uint64_t, std::string> tokens_;
};

tree convert(const toml::node& node, const std::string& name, const huge_numbers& huge, std::size_t depth);

void add_child(tree& parent, const toml::node& node, const toml::key* key, const std::string& name,
               const huge_numbers& huge, std::size_t depth) {
  tree child = convert(node, name, huge, depth);
  if (key) {
    child.key = std::string{key->str()};
    child.at = place_of(key->source().begin, name);
  }
  parent.children.push_back(std::move(child));
}

tree convert(const toml::node& node, const std::string& name, const huge_numbers& huge, std::size_t depth) {
  tree result;
  result.at = place_of(node.source().begin, name);
  switch (node.type()) {
    case toml::node_type::boolean:
      result.what = tree::kind::boolean;
      result.boolean = **node.as_boolean();
      break;
    case toml::node_type::integer:
      result.what = tree::kind::integer;
      result.integer = **node.as_integer();
      break;
    case toml::node_type::floating_point:
      result.what = tree::kind::real;
      result.real = **node.as_floating_point();
      break;
    case toml::node_type::string:
      result.what = tree::kind::text;
      result.text = **node.as_string();
      if (const auto* number = huge.at(result.at)) {
        result.what = tree::kind::huge;
        result.text = *number;
      }
      break;
    case toml::node_type::array:
      result.what = tree::kind::list;
      if (depth < max_depth)
        for (const auto& each : *node.as_array()) add_child(result, each, nullptr, name, huge, depth + 1);
      break;
    case toml::node_type::table:
      result.what = tree::kind::table;
      if (depth < max_depth)
        for (const auto& [key, each] : *node.as_table()) add_child(result, each, &key, name, huge, depth + 1);
      break;
    default:
      result.what = tree::kind::moment;
  }
  return result;
}

/// What toml++ says, without the text it quotes: that could be part of a secret.
std::string without_quotes(std::string_view description) {
  for (const std::string_view mark : {", saw ", "; saw ", " saw "}) {
    const auto at = description.find(mark);
    if (at != std::string_view::npos) description = description.substr(0, at);
  }
  return well_formed(description);
}

}  // namespace

tree parse_toml(std::string_view text, const std::string& name, problem_list& problems) {
  if (text.size() > max_config_bytes) {
    problems.add({name, 0}, "", "is longer than 1 MiB, which no configuration is");
    return {};
  }
  if (const auto line = nesting_scan{text}.too_deep(); line != 0) {
    problems.add(place_of({line, 1}, name), "", "nested too deeply");
    return {};
  }
  std::string patched{text};
  huge_numbers huge;
  for (;;) {
    try {
      return convert(toml::parse(patched, std::string_view{}), name, huge, 0);
    } catch (const toml::parse_error& error) {
      if (huge.hide(patched, error)) continue;
      problems.add(place_of(error.source().begin, name), "", "TOML syntax: " + without_quotes(error.description()));
    } catch (const std::exception& error) {
      problems.add({name, 0}, "", std::string{"cannot be read as TOML: "} + error.what());
    }
    return {};
  }
}

}  // namespace understudy::internal::config
