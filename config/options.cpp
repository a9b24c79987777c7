// Look-ups in the table of all settings.
#include "understudy/config/options.hpp"

#include <algorithm>

namespace understudy::config {

const option_section* find_section(std::string_view name) {
  const auto all = option_sections();
  const auto it = std::find_if(all.begin(), all.end(), [&](const option_section& each) { return each.name == name; });
  return it == all.end() ? nullptr : &*it;
}

const option* find_option(std::string_view section, std::string_view key) {
  const auto all = options();
  const auto it = std::find_if(all.begin(), all.end(),
                               [&](const option& each) { return each.section == section && each.key == key; });
  return it == all.end() ? nullptr : &*it;
}

std::vector<std::string_view> section_names() {
  std::vector<std::string_view> names;
  for (const auto& each : option_sections()) names.push_back(each.name);
  return names;
}

std::vector<std::string_view> keys_of(std::string_view section) {
  std::vector<std::string_view> keys;
  for (const auto& each : options())
    if (each.section == section) keys.push_back(each.key);
  return keys;
}

std::string_view section_with(std::string_view key) {
  for (const auto& each : options())
    if (each.key == key) return each.section;
  return {};
}

duration unit_length(const option& what) {
  return what.unit == "ms" ? duration{milliseconds{1}} : duration{seconds{1}};
}

option_value default_of(const option& what) {
  if (const auto* field = std::get_if<server_field>(&what.field)) return field->get(connection_info{});
  return std::get<global_field>(what.field).get(settings{});
}

}  // namespace understudy::config
