// Reads a whole configuration from TOML or JSON, with environment variables in it; reports every problem together.
#pragma once
#include "understudy/config/problem.hpp"
#include "understudy/config/settings.hpp"

#include <nlohmann/json_fwd.hpp>
#include <optional>

namespace understudy {

/// What was read, and what is to be said of it.
struct load_result {
  settings value;                        ///< usable only when there are no problems
  std::vector<config_problem> problems;  ///< every one, in the file's order
  std::vector<config_problem> warnings;  ///< what works and protects less than it seems to; the same order
  /// True when `value` may be used.
  bool ok() const noexcept { return problems.empty(); }
};

/// Looks up an environment variable; tests pass their own.
using environment_lookup = std::function<std::optional<std::string>(const std::string&)>;
/// A variable of this process.
std::optional<std::string> process_environment(const std::string& name);

/// `path`: TOML, or JSON when it ends in ".json". Never throws on bad input.
load_result load_file(const std::string& path, const environment_lookup& env = process_environment);
/// `text` as TOML; `name` stands for the file in messages.
load_result load_toml(const std::string& text, const std::string& name,
                      const environment_lookup& env = process_environment);
/// `text` as JSON; `name` stands for the file in messages.
load_result load_json(const std::string& text, const std::string& name,
                      const environment_lookup& env = process_environment);

/// Checks settings made in code with the same rules as those from a file.
std::vector<config_problem> validate(const settings& all);

/// What works in these settings and is still worth a word to whoever operates them: passwords in plain text over the
/// network, certificates that are not checked.
std::vector<config_problem> warnings(const settings& all);

/// `all`, completed; throws config_error with every problem when it cannot work.
settings checked(settings all);

/// The whole configuration as TOML or JSON, secrets masked.
std::string to_toml(const settings& all);
/// The same as JSON.
nlohmann::json to_json(const settings& all);

}  // namespace understudy
