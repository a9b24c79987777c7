// Settings as text and JSON.
#include "understudy/config/dump.hpp"

#include "understudy/config/load.hpp"
#include "understudy/config/option_value.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace understudy::internal::config {

namespace {

template <std::size_t Size>
bool is_one_of(const std::array<std::string_view, Size>& names, std::string_view key) {
  return std::find(names.begin(), names.end(), key) != names.end();
}

constexpr std::array<std::string_view, 3> said_by_uri{"host", "port", "use_ssl"};
constexpr std::array<std::string_view, 5> said_by_records{"host", "port", "uri", "priority", "weight"};
constexpr std::array<std::string_view, 3> said_by_pool{"pool_size", "max_pool_size", "pool_timeout"};
/// Written only when they differ from the default, so that a plain server looks as the reference shows it.
constexpr std::array<std::string_view, 10> written_when_changed{"uri",
                                                                "srv",
                                                                "password_file",
                                                                "password_command",
                                                                "bind_mechanism",
                                                                "client_key_password",
                                                                "client_key_password_file",
                                                                "client_key_password_command",
                                                                "crl_path",
                                                                "tls_min_version"};

option_value value_of(const option& row, const connection_info& info) {
  return std::get<server_field>(row.field).get(info);
}

bool is_written(const option& row, const connection_info& info, bool pool_numbers) {
  if (!std::holds_alternative<server_field>(row.field)) return false;
  if (!info.uri.empty() && is_one_of(said_by_uri, row.key)) return false;
  if (!info.srv.empty() && is_one_of(said_by_records, row.key)) return false;
  if (row.key == "weight" && info.weight == connection_info{}.weight) return false;
  if (!pool_numbers && is_one_of(said_by_pool, row.key)) return false;
  return !is_one_of(written_when_changed, row.key) || value_of(row, info) != default_of(row);
}

std::vector<const option*> global_keys(std::string_view section) {
  std::vector<const option*> keys;
  for (const auto& each : options())
    if (each.section == section && std::holds_alternative<global_field>(each.field)) keys.push_back(&each);
  return keys;
}

/// The keys of the tables that `Owner` is read from.
template <class Owner>
std::vector<const option*> listed_keys() {
  std::vector<const option*> keys;
  for (const auto& each : options())
    if (std::holds_alternative<option_field<Owner>>(each.field)) keys.push_back(&each);
  return keys;
}

template <class Owner>
option_value value_of(const option& row, const Owner& owner) {
  return std::get<option_field<Owner>>(row.field).get(owner);
}

template <class Owner>
std::string toml_lines(const std::vector<const option*>& keys, const Owner& owner) {
  std::string text;
  for (const option* each : keys) {
    const option_value value = value_of(*each, owner);
    if (is_set(value)) text += std::string{each->key} + " = " + to_toml_text(*each, value) + '\n';
  }
  return text;
}

template <class Owner>
nlohmann::json json_object(const std::vector<const option*>& keys, const Owner& owner) {
  nlohmann::json object = nlohmann::json::object();
  for (const option* each : keys) object[std::string{each->key}] = to_json_value(*each, value_of(*each, owner));
  return object;
}

template <class Owner>
std::string listed_toml(std::string_view section, const std::vector<Owner>& all) {
  std::string text;
  for (const auto& each : all)
    text += '\n' + shown(*find_section(section)) + '\n' + toml_lines(listed_keys<Owner>(), each);
  return text;
}

template <class Owner>
nlohmann::json listed_json(const std::vector<Owner>& all) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& each : all) list.push_back(json_object(listed_keys<Owner>(), each));
  return list;
}

}  // namespace

std::vector<const option*> server_keys(const connection_info& info, bool pool_numbers) {
  std::vector<const option*> keys;
  for (const auto& each : options())
    if (is_written(each, info, pool_numbers)) keys.push_back(&each);
  return keys;
}

std::string server_toml(const connection_info& info, bool pool_numbers) {
  return toml_lines(server_keys(info, pool_numbers), info);
}

nlohmann::json server_json(const connection_info& info, bool pool_numbers) {
  return json_object(server_keys(info, pool_numbers), info);
}

}  // namespace understudy::internal::config

namespace understudy {

using namespace internal::config;

std::string to_toml(const settings& all) {
  std::string text;
  for (const auto& server : all.servers)
    text += std::string{text.empty() ? "" : "\n"} + (server.srv.empty() ? "[[ldap.servers]]\n" : "[ldap]\n") +
            server_toml(server, all.server_pools);
  for (const auto& section : option_sections())
    if (const auto keys = global_keys(section.name); !keys.empty())
      text += '\n' + shown(section) + '\n' + toml_lines(keys, all);
  text += listed_toml(listener_section, all.node.listeners);
  return text + listed_toml(client_listener_section, all.front_door.listeners);
}

nlohmann::json to_json(const settings& all) {
  nlohmann::json root = nlohmann::json::object();
  auto& ldap = root[std::string{server_section}];
  if (all.servers.size() == 1 && !all.servers.front().srv.empty()) {
    ldap = server_json(all.servers.front(), all.server_pools);
  } else {
    ldap["servers"] = nlohmann::json::array();
    for (const auto& server : all.servers) ldap["servers"].push_back(server_json(server, all.server_pools));
  }
  for (const auto& section : option_sections())
    if (const auto keys = global_keys(section.name); !keys.empty())
      root[std::string{section.name}] = json_object(keys, all);
  root["node"]["listeners"] = listed_json(all.node.listeners);
  root["front_door"]["listeners"] = listed_json(all.front_door.listeners);
  return root;
}

}  // namespace understudy
