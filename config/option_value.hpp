// Values of options: from a parsed file, checked, and as text.
#pragma once
#include "understudy/config/load.hpp"
#include "understudy/config/options.hpp"
#include "understudy/config/tree.hpp"

#include <nlohmann/json_fwd.hpp>
#include <optional>

namespace understudy::internal::config {

struct conversion {
  std::optional<option_value> value;  ///< nothing: "not set" was written out, or there is a problem
  std::string problem;                ///< what is wrong; never the text of a secret or of a variable
};

/// The value that `node` gives to `row`: variables replaced, type and range checked.
conversion convert(const option& row, const tree& node, const environment_lookup& env);

/// What is wrong with a value of the right type: range, characters. Empty when nothing is.
std::string check_value(const option& row, const option_value& value);

/// As it is written in a TOML file; a secret that is set is masked.
std::string to_toml_text(const option& row, const option_value& value);
/// As a JSON value; null for "not set".
nlohmann::json to_json_value(const option& row, const option_value& value);

/// False for empty texts, lists and secrets.
bool is_set(const option_value& value);

/// "1 to 65535", "1ms to 1h", "error, warning, info or debug"; empty when there is no limit.
std::string range_text(const option& row);

/// A TOML basic string.
std::string toml_string(std::string_view text);

}  // namespace understudy::internal::config
