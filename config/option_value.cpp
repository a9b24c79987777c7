// Checks of values and their text.
#include "understudy/config/option_value.hpp"
#include "understudy/config/text.hpp"
#include "understudy/config/variables.hpp"
#include "understudy/messages/number.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace understudy::internal::config {
namespace {

double count_units(const option& row, duration span) {
  return std::chrono::duration<double>(span) / std::chrono::duration<double>(unit_length(row));
}

std::string limit_text(const option& row, double limit) {
  if (row.type != option_type::span) return format_number(limit);
  return format_span(span_of(limit, unit_length(row)).value_or(duration::zero()));
}

std::string check_text(const option& row, std::string_view text) {
  const bool bad_byte =
      std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  if (bad_byte) return "must not contain control characters";
  if (!is_utf8(text)) return "must be UTF-8";
  const std::size_t longest = row.type == option_type::path ? 4095 : 65535;
  if (text.size() > longest) return "must not be longer than " + std::to_string(longest) + " bytes";
  return {};
}

std::string check_texts(const option& row, const std::vector<std::string>& texts) {
  for (const auto& text : texts)
    if (auto wrong = check_text(row, text); !wrong.empty()) return wrong;
  return {};
}

std::string check_words(const std::vector<std::string>& words) {
  if (!words.empty() && words.front().empty()) return "must begin with the name of a program";
  const bool has_nul = std::any_of(words.begin(), words.end(),
                                   [](const std::string& word) { return word.find('\0') != std::string::npos; });
  return has_nul ? "must not contain NUL bytes" : std::string{};
}

double as_number(const option& row, const option_value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* span = std::get_if<duration>(&value)) return count_units(row, *span);
  return std::get<double>(value);
}

std::string_view choice_name(const option& row, const option_value& value) {
  return row.choices.at(static_cast<std::size_t>(std::get<std::int64_t>(value)));
}

using kind = tree::kind;

std::string_view wanted(const option& row) {
  switch (row.type) {
    case option_type::boolean:
      return "a boolean (true or false)";
    case option_type::integer:
      return "an integer";
    case option_type::real:
      return "a number";
    case option_type::span:
      return row.unit == "ms" ? "a number of milliseconds or a span like \"250ms\", \"5s\", \"2m\" or \"1h\""
                              : "a number of seconds or a span like \"250ms\", \"5s\", \"2m\" or \"1h\"";
    case option_type::words:
      return "an array of strings: a program and its arguments";
    case option_type::texts:
      return "an array of strings";
    default:
      return "a string";
  }
}

std::string wrong_kind(const option& row, const tree& node) {
  return "must be " + std::string{wanted(row)} + ", not " + std::string{to_string(node.what)};
}

/// What variables gave does not convert; their values stay unsaid, they may be secrets in the wrong place.
std::string wrong_expansion(const option& row, const tree& node) {
  return "must be " + std::string{wanted(row)} + ", but " + quote(node.text) + " gives something else";
}

std::optional<bool> boolean_of(std::string_view text) {
  for (const auto* yes : {"true", "yes", "on", "1"})
    if (same_name(text, yes)) return true;
  for (const auto* no : {"false", "no", "off", "0"})
    if (same_name(text, no)) return false;
  return std::nullopt;
}

/// `value` checked, or `problem` when there is none.
template <class T>
conversion checked(const option& row, std::optional<T> value, const std::string& problem) {
  if (!value) return {std::nullopt, problem};
  option_value made{std::move(*value)};
  if (auto wrong = check_value(row, made); !wrong.empty()) return {std::nullopt, std::move(wrong)};
  return {std::move(made), {}};
}

conversion choice_of(const option& row, const std::string& text, const expansion& source, const tree& node) {
  const auto at = std::find(row.choices.begin(), row.choices.end(), text);
  if (at != row.choices.end()) return {option_value{static_cast<std::int64_t>(at - row.choices.begin())}, {}};
  const std::string given = source.substituted ? "what " + quote(node.text) + " gives" : quote(text);
  std::string problem = "must be " + range_text(row) + ", not " + given;
  return {std::nullopt, std::move(problem)};
}

/// A variable that is set to nothing, most often by mistake.
conversion nothing(const tree& node) {
  return {std::nullopt, "is empty: " + quote(node.text) + " gives nothing; set the variable, or remove the key"};
}

bool says_who_is_trusted(const option& row) {
  return row.section == server_section || row.section == listener_section || row.section == "node";
}

/// Numbers and booleans in strings count only when a variable gave them; spans are strings anyway.
conversion from_text(const option& row, const tree& node, const environment_lookup& env) {
  expansion source = expand(node.text, env);
  if (!source.problem.empty()) return {std::nullopt, source.problem};
  const std::string wrong = source.substituted ? wrong_expansion(row, node) : wrong_kind(row, node);
  const std::string_view text = source.text;
  switch (row.type) {
    case option_type::boolean:
      return checked(row, source.substituted ? boolean_of(text) : std::nullopt, wrong);
    case option_type::integer:
      return checked(row, source.substituted ? parse_number<std::int64_t>(text) : std::nullopt, wrong);
    case option_type::real:
      return checked(row, source.substituted ? parse_number<double>(text) : std::nullopt, wrong);
    case option_type::span: {
      const bool bare = !source.substituted && parse_number<double>(text).has_value();
      return checked(row, bare ? std::nullopt : parse_span(text, unit_length(row)),
                     source.substituted ? wrong : "must be " + std::string{wanted(row)} + ", not " + quote(text));
    }
    case option_type::choice:
      return choice_of(row, source.text, source, node);
    case option_type::secret_text:
      if (source.text.empty() && source.substituted) return nothing(node);
      return checked(row, std::optional{secret{std::move(source.text)}}, {});
    case option_type::text:
    case option_type::path:
      if (source.text.empty() && says_who_is_trusted(row)) {
        // Nothing said must not turn into "off", nor into somebody else: only a plain "" says that nobody is meant.
        if (source.substituted) return nothing(node);
        if (row.type == option_type::path) return {std::nullopt, "must not be empty; remove the key"};
      }
      return checked(row, std::optional{std::move(source.text)}, {});
    case option_type::words:
    case option_type::texts:
      break;
  }
  return {std::nullopt, wrong_kind(row, node)};
}

conversion from_number(const option& row, const tree& node) {
  const double number = node.what == kind::integer ? static_cast<double>(node.integer) : node.real;
  switch (row.type) {
    case option_type::integer:
      if (node.what == kind::integer) return checked(row, std::optional{node.integer}, {});
      break;
    case option_type::real:
      return checked(row, std::optional{number}, {});
    case option_type::span:
      return checked(row, span_of(number, unit_length(row)),
                     "must be " + range_text(row) + ", not " + format_number(number));
    default:
      break;
  }
  return {std::nullopt, wrong_kind(row, node)};
}

/// A number has no secrets in it, but may be as long as the file.
std::string shortened(const std::string& number) { return number.size() <= 40 ? number : number.substr(0, 40) + "…"; }

conversion from_list(const option& row, const tree& node, const environment_lookup& env) {
  if (row.type != option_type::words && row.type != option_type::texts) return {std::nullopt, wrong_kind(row, node)};
  std::vector<std::string> words;
  for (const auto& child : node.children) {
    if (child.what != kind::text)
      return {std::nullopt, "must be an array of strings, but has " + std::string{to_string(child.what)} + " in it"};
    expansion source = expand(child.text, env);
    if (!source.problem.empty()) return {std::nullopt, source.problem};
    words.push_back(std::move(source.text));
  }
  if (words.empty() && row.type == option_type::words) return {std::nullopt, "must begin with the name of a program"};
  return checked(row, std::optional{std::move(words)}, {});
}

}  // namespace

std::string check_value(const option& row, const option_value& value) {
  switch (row.type) {
    case option_type::integer:
    case option_type::real:
    case option_type::span: {
      const double number = as_number(row, value);
      if (number >= row.least && number <= row.most) return {};
      const bool span = row.type == option_type::span;
      return "must be " + range_text(row) + ", not " +
             (span ? format_span(std::get<duration>(value)) : format_number(number));
    }
    case option_type::choice: {
      const auto index = std::get<std::int64_t>(value);
      const bool known = index >= 0 && index < static_cast<std::int64_t>(row.choices.size());
      return known ? std::string{} : "must be " + range_text(row);
    }
    case option_type::text:
    case option_type::path:
      return check_text(row, std::get<std::string>(value));
    case option_type::words:
      return check_words(std::get<std::vector<std::string>>(value));
    case option_type::texts:
      return check_texts(row, std::get<std::vector<std::string>>(value));
    case option_type::secret_text:
      if (std::get<secret>(value).reveal() != secret_mask) return {};
      return "\"***\" is a mask, not a secret: dumps of a configuration hide secrets; give the secret itself, "
             "password_file or password_command";
    case option_type::boolean:
      break;
  }
  return {};
}

bool is_set(const option_value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return !text->empty();
  if (const auto* words = std::get_if<std::vector<std::string>>(&value)) return !words->empty();
  if (const auto* hidden = std::get_if<secret>(&value)) return !hidden->empty();
  return true;
}

std::string range_text(const option& row) {
  if (row.type == option_type::choice) {
    std::string names;
    for (std::size_t i = 0; i < row.choices.size(); ++i) {
      if (i != 0) names += i + 1 == row.choices.size() ? " or " : ", ";
      names += row.choices[i];
    }
    return names;
  }
  if (!row.numeric() || row.least == row.most) return {};
  return limit_text(row, row.least) + " to " + limit_text(row, row.most);
}

std::string toml_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : well_formed(text)) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      std::array<char, 8> code{};
      std::snprintf(code.data(), code.size(), "\\u%04X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      result += code.data();
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string to_toml_text(const option& row, const option_value& value) {
  switch (row.type) {
    case option_type::boolean:
      return std::get<bool>(value) ? "true" : "false";
    case option_type::integer:
      return std::to_string(std::get<std::int64_t>(value));
    case option_type::real:
      return format_number(std::get<double>(value));
    case option_type::span:
      return format_number(count_units(row, std::get<duration>(value)));
    case option_type::text:
    case option_type::path:
      return toml_string(escape_variables(std::get<std::string>(value)));
    case option_type::secret_text:
      return toml_string(is_set(value) ? secret_mask : std::string_view{});
    case option_type::choice:
      return toml_string(choice_name(row, value));
    case option_type::words:
    case option_type::texts:
      break;
  }
  const auto& words = std::get<std::vector<std::string>>(value);
  return '[' + joined(words, ", ", [](const std::string& word) { return toml_string(escape_variables(word)); }) + ']';
}

nlohmann::json to_json_value(const option& row, const option_value& value) {
  const auto number = [](double n) { return n == std::floor(n) ? nlohmann::json(std::llround(n)) : nlohmann::json(n); };
  if (!is_set(value)) return nullptr;
  switch (row.type) {
    case option_type::boolean:
      return std::get<bool>(value);
    case option_type::integer:
      return std::get<std::int64_t>(value);
    case option_type::real:
      return number(std::get<double>(value));
    case option_type::span:
      return number(count_units(row, std::get<duration>(value)));
    case option_type::text:
    case option_type::path:
      return well_formed(escape_variables(std::get<std::string>(value)));
    case option_type::secret_text:
      return secret_mask;
    case option_type::choice:
      return choice_name(row, value);
    case option_type::words:
    case option_type::texts:
      break;
  }
  nlohmann::json list = nlohmann::json::array();
  for (const auto& word : std::get<std::vector<std::string>>(value))
    list.push_back(well_formed(escape_variables(word)));
  return list;
}

// ---- from a node of a parsed file ----

conversion convert(const option& row, const tree& node, const environment_lookup& env) {
  switch (node.what) {
    case kind::text:
      return from_text(row, node, env);
    case kind::integer:
    case kind::real:
      return from_number(row, node);
    case kind::huge:
      if (!row.numeric()) break;
      return {std::nullopt, "must be " + range_text(row) + ", not " + shortened(node.text)};
    case kind::list:
      return from_list(row, node, env);
    case kind::boolean:
      if (row.type == option_type::boolean) return {option_value{node.boolean}, {}};
      break;
    case kind::null:  // JSON's way to say "not set", fit only for what can be so
      if (!row.numeric() && row.type != option_type::boolean && row.type != option_type::choice) return {};
      break;
    default:
      break;
  }
  return {std::nullopt, wrong_kind(row, node)};
}

}  // namespace understudy::internal::config
