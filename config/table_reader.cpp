// Reads the keys of one table of a configuration.
#include "understudy/config/option_value.hpp"
#include "understudy/config/reader.hpp"
#include "understudy/config/text.hpp"

namespace understudy::config {

table_reader::table_reader(const tree& table, std::string_view section, std::string prefix,
                           const environment_lookup& env, problem_list& problems, std::string_view elsewhere)
    : section_(section), prefix_(std::move(prefix)), at_(table.at) {
  for (const auto& child : table.children)
    if (elsewhere.empty() || child.key != elsewhere) read(child, env, problems);
}

std::string table_reader::path_of(std::string_view key) const {
  return prefix_.empty() ? shown_key(key) : prefix_ + '.' + shown_key(key);
}

std::string table_reader::text_of(std::string_view key) const {
  const auto it = values_.find(find_option(section_, key));
  return it == values_.end() ? std::string{} : std::get<std::string>(it->second);
}

bool table_reader::truth_of(std::string_view key) const {
  const auto it = values_.find(find_option(section_, key));
  return it != values_.end() && std::get<bool>(it->second);
}

void table_reader::read(const tree& child, const environment_lookup& env, problem_list& problems) {
  const option* what = find_option(section_, child.key);
  if (!what) return report_unknown(child, problems);
  places_.emplace(child.key, child.at);
  conversion result = what->available ? convert(*what, child, env) : conversion{{}, std::string{unavailable}};
  if (!result.problem.empty()) {
    spoiled_.insert(child.key);
    problems.add(child.at, path_of(child.key), std::move(result.problem));
  } else if (result.value) {
    values_.insert_or_assign(what, std::move(*result.value));
  }
}

std::string table_reader::advice(std::string_view key) const {
  if (const auto other = section_with(key); !other.empty()) return "; it belongs in [" + std::string{other} + ']';
  const auto near = nearest(key, keys_of(section_));
  return near.empty() ? std::string{} : "; the nearest known key is " + quote(near);
}

void table_reader::report_unknown(const tree& child, problem_list& problems) const {
  std::string what = "unknown key";
  if (!problems.crowded()) what += advice(child.key);
  problems.add(child.at, path_of(child.key), std::move(what));
}

}  // namespace understudy::config
