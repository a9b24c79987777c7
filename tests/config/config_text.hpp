// Short ways to load configurations in tests.
#pragma once
#include "understudy/config/load.hpp"

#include <map>
#include <string>
#include <vector>

namespace understudy::test {

/// An environment with these variables and no others.
inline environment_lookup variables(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto it = values.find(name);
    if (it == values.end()) return std::nullopt;
    return it->second;
  };
}

/// Every problem as it is shown to people.
inline std::vector<std::string> lines_of(const std::vector<config_problem>& problems) {
  std::vector<std::string> lines;
  for (const auto& each : problems) lines.push_back(describe(each));
  return lines;
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + '\n';
  return text;
}

inline load_result from_toml(const std::string& text, std::map<std::string, std::string> env = {}) {
  return load_toml(text, "f", variables(std::move(env)));
}

inline load_result from_json(const std::string& text, std::map<std::string, std::string> env = {}) {
  return load_json(text, "f", variables(std::move(env)));
}

/// The problems of a TOML text, a line each.
inline std::string pool_errors(const std::string& text, std::map<std::string, std::string> env = {}) {
  return joined(lines_of(from_toml(text, std::move(env)).problems));
}

inline std::string json_errors(const std::string& text, std::map<std::string, std::string> env = {}) {
  return joined(lines_of(from_json(text, std::move(env)).problems));
}

}  // namespace understudy::test
