// Environment variables in strings.
#include "understudy/config/variables.hpp"

#include "understudy/config/text.hpp"

#include <algorithm>

namespace understudy::internal::config {

namespace {

bool is_name(std::string_view name) {
  const auto is_part = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), is_part);
}

/// Replaces one variable, given what stands between its braces.
void substitute(std::string_view body, const environment_lookup& env, expansion& result) {
  const auto separator = body.find(":-");
  const std::string name{body.substr(0, separator)};
  if (!is_name(name)) {
    result.problem =
        "${...} must hold the name of a variable, as ${NAME} or ${NAME:-default}; write $${ for a plain ${";
    return;
  }
  const auto value = env(name);
  result.substituted = true;
  if (value && (separator == std::string_view::npos || !value->empty()))
    result.text += *value;
  else if (separator != std::string_view::npos)
    result.text += body.substr(separator + 2);
  else
    result.problem =
        "the environment variable " + name + " is not set; set it, or give a default: ${" + name + ":-default}";
}

}  // namespace

expansion expand(std::string_view text, const environment_lookup& env) {
  expansion result;
  while (!text.empty() && result.problem.empty()) {
    const auto dollar = std::min(text.find('$'), text.size());
    result.text += text.substr(0, dollar);
    text.remove_prefix(dollar);
    if (text.substr(0, 3) == "$${") {
      result.text += "${";
      text.remove_prefix(3);
    } else if (text.substr(0, 2) == "${") {
      const auto end = text.find('}');
      if (end == std::string_view::npos) {
        result.problem = "${ without its }; write $${ for a plain ${";
        break;
      }
      substitute(text.substr(2, end - 2), env, result);
      text.remove_prefix(end + 1);
    } else if (!text.empty()) {
      result.text += '$';
      text.remove_prefix(1);
    }
  }
  return result;
}

std::string escape_variables(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '$' && text.substr(i + 1, 1) == "{") result += '$';
    result += text[i];
  }
  return result;
}

}  // namespace understudy::internal::config
