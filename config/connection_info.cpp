// Validation and conversion of one server's settings.
#include "understudy/config/connection_info.hpp"

#include "understudy/config/dump.hpp"
#include "understudy/config/json_tree.hpp"
#include "understudy/config/load.hpp"
#include "understudy/config/reader.hpp"
#include "understudy/config/rules.hpp"
#include "understudy/config/toml_tree.hpp"

#include <nlohmann/json.hpp>

namespace understudy {

using namespace internal;

using namespace config;

namespace {

connection_info made_from(const tree& table, problem_list& problems) {
  connection_info info;
  if (problems.empty()) info = read_server(table, process_environment, problems);
  if (!problems.empty()) throw config_error{problems.sorted()};
  return info;
}

}  // namespace

validation_result connection_info::validate() const {
  validation_result result;
  for (const auto& each : check_made_in_code(*this))
    result.schema_errors.push_back(std::string{each.keys[0]} + ": " + each.what);
  result.valid = result.schema_errors.empty();
  return result;
}

nlohmann::json connection_info::to_dict() const { return server_json(*this, true); }

connection_info connection_info::from_dict(const nlohmann::json& data) {
  problem_list problems;
  const tree table = tree_of(data, problems);
  return made_from(table, problems);
}

std::string connection_info::to_toml() const { return server_toml(*this, true); }

connection_info connection_info::from_toml(const std::string& text) {
  problem_list problems;
  const tree table = parse_toml(text, {}, problems);
  return made_from(table, problems);
}

}  // namespace understudy
