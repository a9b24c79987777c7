// Loads configurations from files and text, and checks settings made in code.
#include "understudy/config/load.hpp"

#include "understudy/config/files.hpp"
#include "understudy/config/front_door_rules.hpp"
#include "understudy/config/json_tree.hpp"
#include "understudy/config/node_rules.hpp"
#include "understudy/config/options.hpp"
#include "understudy/config/reader.hpp"
#include "understudy/config/rules.hpp"
#include "understudy/config/settings_from.hpp"
#include "understudy/config/toml_tree.hpp"

#include <algorithm>
#include <cstdlib>

namespace understudy {

using namespace internal;

using namespace config;

namespace {

using parser = tree (*)(std::string_view, const std::string&, problem_list&);

load_result load_text(parser parse, std::string_view text, const std::string& name, const environment_lookup& env) {
  load_result result;
  problem_list problems;
  const tree root = parse(text, name, problems);
  problem_list doubts;
  if (problems.empty()) result.value = read_settings(root, env, problems, doubts);
  result.problems = problems.sorted();
  result.warnings = doubts.sorted();
  return result;
}

bool names_json(const std::string& path) {
  const std::string_view ending = ".json";
  return path.size() >= ending.size() && path.compare(path.size() - ending.size(), ending.size(), ending) == 0;
}

/// The minimum of a struct that was filled by hand: one at its default follows a smaller maximum down.
void settle(int& low, int low_default, int high) {
  if (low == low_default) low = std::min(low, high);
}

void append(std::vector<config_problem>& problems, const std::string& prefix, std::vector<finding> found) {
  for (auto& each : found) problems.push_back({"", prefix + '.' + std::string{each.keys[0]}, std::move(each.what)});
}

void check_servers(const std::vector<connection_info>& servers, std::vector<config_problem>& problems) {
  if (servers.empty()) problems.push_back({"", "ldap.servers", "must name at least one server"});
  const auto path_of = [](std::size_t index) { return "ldap.servers[" + std::to_string(index) + ']'; };
  for (std::size_t i = 0; i < servers.size(); ++i) {
    append(problems, path_of(i), check_made_in_code(servers[i]));
    if (servers.size() > 1 && !servers[i].srv.empty())
      problems.push_back({"", path_of(i) + ".srv", "stands for all servers: there must be no other beside it"});
  }
  if (auto wrong = why_no_server_for_all(servers); !wrong.empty())
    problems.push_back({"", path_of(0) + ".role", std::move(wrong)});
  for (const auto& [later, earlier] : duplicate_servers(servers))
    problems.push_back(
        {"", path_of(later), "is the same server as " + path_of(earlier) + ": " + server_name(servers[later])});
}

template <class Listener, class Check>
void check_listeners(const std::string& list, const std::vector<Listener>& listeners, Check check,
                     std::vector<config_problem>& problems) {
  const auto path_of = [&](std::size_t index) { return list + '[' + std::to_string(index) + ']'; };
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    append(problems, path_of(i), check_fields(listeners[i]));
    append(problems, path_of(i), check(listeners[i]));
  }
  for (const auto& [later, earlier] : duplicate_listeners(listeners))
    problems.push_back(
        {"", path_of(later), "is at the address of " + path_of(earlier) + ": " + listeners[later].address});
}

}  // namespace

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string{value};
}

load_result load_toml(const std::string& text, const std::string& name, const environment_lookup& env) {
  return load_text(parse_toml, text, name, env);
}

load_result load_json(const std::string& text, const std::string& name, const environment_lookup& env) {
  return load_text(parse_json, text, name, env);
}

load_result load_file(const std::string& path, const environment_lookup& env) {
  const auto file = read_whole(path, max_config_bytes);
  if (file.problem.empty()) return load_text(names_json(path) ? parse_json : parse_toml, file.text, path, env);
  load_result result;
  result.problems.push_back({path, "", "cannot be read: " + file.problem});
  return result;
}

std::vector<config_problem> validate(const settings& all) {
  std::vector<config_problem> problems;
  check_servers(all.servers, problems);
  settings settled = all;
  settle(settled.pool.min_connections, pool_settings{}.min_connections, settled.pool.max_connections);
  for (const auto& section : option_sections()) {
    if (section.listed || section.name == server_section) continue;
    append(problems, std::string{section.name}, check_fields(settled, section.name));
    append(problems, std::string{section.name}, check_section(settled, section.name));
  }
  const auto check_node_listener = [&](const auto& listener) { return check_listener(settled.node, listener); };
  check_listeners(std::string{listener_section}, settled.node.listeners, check_node_listener, problems);
  const auto check_door = [&](const auto& listener) { return check_client_listener(settled.servers, listener); };
  check_listeners(std::string{client_listener_section}, settled.front_door.listeners, check_door, problems);
  return problems;
}

std::vector<config_problem> warnings(const settings& all) {
  std::vector<config_problem> found;
  for (std::size_t i = 0; i < all.servers.size(); ++i)
    append(found, "ldap.servers[" + std::to_string(i) + ']', doubts_about(all.servers[i]));
  for (const auto& section : option_sections())
    if (!section.listed && section.name != server_section)
      append(found, std::string{section.name}, doubts_about(all, section.name));
  return found;
}

settings checked(settings all) {
  all = completed(std::move(all));
  auto problems = validate(all);
  if (!problems.empty()) throw config_error(std::move(problems));
  return all;
}

}  // namespace understudy
