// Checks of values and their text.
#include "understudy/config/option_value.hpp"

#include "understudy/config/text.hpp"
#include "understudy/config/variables.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace understudy::config {

namespace {

double count_units(const option& what, duration span) {
  return std::chrono::duration<double>(span) / std::chrono::duration<double>(unit_length(what));
}

std::string limit_text(const option& what, double limit) {
  if (what.type != option_type::span) return format_number(limit);
  return format_span(span_of(limit, unit_length(what)).value_or(duration::zero()));
}

std::string check_text(const option& what, std::string_view text) {
  const bool bad_byte =
      std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  if (bad_byte) return "must not contain control characters";
  if (!is_utf8(text)) return "must be UTF-8";
  const std::size_t longest = what.type == option_type::path ? 4095 : 65535;
  if (text.size() > longest) return "must not be longer than " + std::to_string(longest) + " bytes";
  return {};
}

std::string check_words(const std::vector<std::string>& words) {
  if (!words.empty() && words.front().empty()) return "must begin with the name of a program";
  const bool has_nul = std::any_of(words.begin(), words.end(),
                                   [](const std::string& word) { return word.find('\0') != std::string::npos; });
  return has_nul ? "must not contain NUL bytes" : std::string{};
}

double as_number(const option& what, const option_value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* span = std::get_if<duration>(&value)) return count_units(what, *span);
  return std::get<double>(value);
}

std::string_view choice_name(const option& what, const option_value& value) {
  return what.choices.at(static_cast<std::size_t>(std::get<std::int64_t>(value)));
}

}  // namespace

std::string check_value(const option& what, const option_value& value) {
  switch (what.type) {
    case option_type::integer:
    case option_type::real:
    case option_type::span: {
      const double number = as_number(what, value);
      if (number >= what.least && number <= what.most) return {};
      const bool span = what.type == option_type::span;
      return "must be " + range_text(what) + ", not " +
             (span ? format_span(std::get<duration>(value)) : format_number(number));
    }
    case option_type::choice: {
      const auto index = std::get<std::int64_t>(value);
      const bool known = index >= 0 && index < static_cast<std::int64_t>(what.choices.size());
      return known ? std::string{} : "must be " + range_text(what);
    }
    case option_type::text:
    case option_type::path:
      return check_text(what, std::get<std::string>(value));
    case option_type::words:
      return check_words(std::get<std::vector<std::string>>(value));
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

std::string range_text(const option& what) {
  if (what.type == option_type::choice) {
    std::string names;
    for (std::size_t i = 0; i < what.choices.size(); ++i) {
      if (i != 0) names += i + 1 == what.choices.size() ? " or " : ", ";
      names += what.choices[i];
    }
    return names;
  }
  if (!what.numeric() || what.least == what.most) return {};
  return limit_text(what, what.least) + " to " + limit_text(what, what.most);
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

std::string to_toml_text(const option& what, const option_value& value) {
  switch (what.type) {
    case option_type::boolean:
      return std::get<bool>(value) ? "true" : "false";
    case option_type::integer:
      return std::to_string(std::get<std::int64_t>(value));
    case option_type::real:
      return format_number(std::get<double>(value));
    case option_type::span:
      return format_number(count_units(what, std::get<duration>(value)));
    case option_type::text:
    case option_type::path:
      return toml_string(escape_variables(std::get<std::string>(value)));
    case option_type::secret_text:
      return toml_string(is_set(value) ? secret_mask : std::string_view{});
    case option_type::choice:
      return toml_string(choice_name(what, value));
    case option_type::words:
      break;
  }
  std::string list;
  for (const auto& word : std::get<std::vector<std::string>>(value))
    list += (list.empty() ? "" : ", ") + toml_string(escape_variables(word));
  return '[' + list + ']';
}

nlohmann::json to_json_value(const option& what, const option_value& value) {
  const auto number = [](double n) { return n == std::floor(n) ? nlohmann::json(std::llround(n)) : nlohmann::json(n); };
  if (!is_set(value)) return nullptr;
  switch (what.type) {
    case option_type::boolean:
      return std::get<bool>(value);
    case option_type::integer:
      return std::get<std::int64_t>(value);
    case option_type::real:
      return number(std::get<double>(value));
    case option_type::span:
      return number(count_units(what, std::get<duration>(value)));
    case option_type::text:
    case option_type::path:
      return well_formed(escape_variables(std::get<std::string>(value)));
    case option_type::secret_text:
      return secret_mask;
    case option_type::choice:
      return choice_name(what, value);
    case option_type::words:
      break;
  }
  nlohmann::json list = nlohmann::json::array();
  for (const auto& word : std::get<std::vector<std::string>>(value))
    list.push_back(well_formed(escape_variables(word)));
  return list;
}

}  // namespace understudy::config
