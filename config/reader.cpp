// Reads a whole configuration: sections, servers, and the rules between keys.
#include "understudy/config/reader.hpp"

#include "understudy/config/server_reader.hpp"
#include "understudy/config/settings_from.hpp"
#include "understudy/config/text.hpp"

#include <algorithm>

namespace understudy::config {

namespace {

constexpr std::string_view servers_key = "servers";

void set(settings& all, const option& what, option_value value) {
  std::get<global_field>(what.field).set(all, std::move(value));
}

class settings_reader {
 public:
  settings_reader(const tree& root, const environment_lookup& env, problem_list& problems, problem_list& doubts)
      : root_(root), env_(env), problems_(problems), doubts_(doubts) {}

  settings read() {
    for (const auto& child : root_.children) read_section(child);
    if (const auto* ldap = section(server_section))
      read_servers(*ldap);
    else if (!ldap_is_wrong_)
      problems_.add(root_.at, std::string{server_section}, "is required: the servers, and how to speak to them");
    for (const auto& [name, table] : tables_) check(name, table);
    return std::move(all_);
  }

 private:
  void read_section(const tree& child) {
    const auto* known = find_section(child.key);
    if (!known) return report_unknown(child);
    if (!known->available) return problems_.add(child.at, child.key, std::string{unavailable});
    if (child.what != tree::kind::table) {
      if (known->name == server_section) ldap_is_wrong_ = true;
      return problems_.add(child.at, child.key, "must be a table, not " + std::string{to_string(child.what)});
    }
    const bool is_ldap = known->name == server_section;
    const auto [at, is_new] = tables_.try_emplace(known->name, child, known->name, std::string{known->name}, env_,
                                                  problems_, is_ldap ? servers_key : std::string_view{});
    if (is_ldap || !is_new) return;
    for (const auto& [what, value] : at->second.values()) set(all_, *what, value);
  }

  void report_unknown(const tree& child) {
    std::string what = child.what == tree::kind::table ? "unknown section" : "unknown key";
    const auto owner = section_with(child.key);
    if (!owner.empty() && child.what != tree::kind::table)
      what += "; it belongs in [" + std::string{owner} + ']';
    else if (const auto near = problems_.crowded() ? std::string_view{} : nearest(child.key, section_names());
             !near.empty())
      what += "; the nearest known section is " + quote(near);
    problems_.add(child.at, shown_key(child.key), std::move(what));
  }

  const table_reader* section(std::string_view name) const {
    const auto it = tables_.find(name);
    return it == tables_.end() ? nullptr : &it->second;
  }

  bool pool_gives(std::string_view key) const {
    const auto* pool = section("pool");
    return pool && pool->gave(key);
  }

  void read_servers(const table_reader& common) {
    const auto ldap = std::find_if(root_.children.begin(), root_.children.end(),
                                   [](const tree& child) { return child.key == server_section; });
    const auto list = std::find_if(ldap->children.begin(), ldap->children.end(),
                                   [](const tree& child) { return child.key == servers_key; });
    settle_pool(common);
    if (list == ldap->children.end()) return add_server({nullptr, common});
    for (const std::string_view key : {"host", "uri", "srv"})
      if (common.wrote(key))
        problems_.add(common.place_of(key), common.path_of(key),
                      "stands beside [[ldap.servers]]; give servers there, or one directly in [ldap]");
    if (list->what != tree::kind::list)
      return problems_.add(
          list->at, "ldap.servers",
          "must be an array of tables, one [[ldap.servers]] a server, not " + std::string{to_string(list->what)});
    if (list->children.empty()) problems_.add(list->at, "ldap.servers", "must name at least one server");
    for (std::size_t i = 0; i < list->children.size(); ++i) read_listed(list->children[i], i, common);
    report_duplicates();
  }

  void read_listed(const tree& table, std::size_t index, const table_reader& common) {
    std::string path = "ldap.servers[" + std::to_string(index) + ']';
    if (table.what != tree::kind::table)
      return problems_.add(table.at, path, "must be a table, not " + std::string{to_string(table.what)});
    const table_reader own{table, server_section, path, env_, problems_};
    if (own.wrote("srv"))
      problems_.add(own.place_of("srv"), own.path_of("srv"),
                    "stands for all servers: it belongs in [ldap], without [[ldap.servers]]");
    add_server({&own, common});
    server_places_.push_back({table.at, path});
  }

  /// [pool] over [ldap] over the defaults; see settings_from.hpp.
  void settle_pool(const table_reader& common) {
    const connection_info defaults = server_reader{nullptr, common}.read();
    const bool min = !pool_gives("min_connections") && common.gave("pool_size");
    const bool max = !pool_gives("max_connections") && common.gave("max_pool_size");
    if (min) all_.pool.min_connections = defaults.pool_size;
    if (max) all_.pool.max_connections = defaults.max_pool_size;
    if (!pool_gives("timeout") && common.gave("pool_timeout")) all_.pool.timeout = defaults.pool_timeout;
    ldap_sizes_pools_ = min || max;
    min_is_default_ = !pool_gives("min_connections") && !common.gave("pool_size");
    if (min_is_default_) lower_to(all_.pool.min_connections, all_.pool.max_connections);
  }

  void add_server(const server_reader& reader) {
    connection_info info = reader.read();
    settle_pool_of(info, reader);
    const auto given = reader.given();
    auto found = check_server(info, given);
    if (!reports_pool_of(reader))
      found.erase(std::remove_if(found.begin(), found.end(), [](const finding& f) { return f.keys[0] == "pool_size"; }),
                  found.end());
    reader.report(found, problems_);
    complete_endpoint(info, given);
    reader.report(doubts_about(info), doubts_);
    all_.servers.push_back(std::move(info));
  }

  /// A minimum above a maximum is reported once, where the numbers were given: at the server, in [ldap], or in [pool].
  bool reports_pool_of(const server_reader& reader) const {
    const auto* pool = section("pool");
    if (pool && (pool->spoiled("min_connections") || pool->spoiled("max_connections"))) return false;
    return ldap_sizes_pools_ || reader.gives_itself("pool_size") || reader.gives_itself("max_pool_size");
  }

  void settle_pool_of(connection_info& info, const server_reader& reader) {
    const bool min = reader.gives_itself("pool_size");
    const bool max = reader.gives_itself("max_pool_size");
    const bool timeout = reader.gives_itself("pool_timeout");
    if (!min) info.pool_size = all_.pool.min_connections;
    if (!max) info.max_pool_size = all_.pool.max_connections;
    if (!timeout) info.pool_timeout = all_.pool.timeout;
    if (!min && min_is_default_) lower_to(info.pool_size, info.max_pool_size);
    all_.server_pools = all_.server_pools || min || max || timeout;
  }

  static void lower_to(int& low, int high) { low = std::min(low, high); }

  void report_duplicates() {
    for (const auto& [later, earlier] : duplicate_servers(all_.servers))
      problems_.add(
          server_places_[later].first, server_places_[later].second,
          "is the same server as " + server_places_[earlier].second + ": " + server_name(all_.servers[later]));
  }

  void check(std::string_view name, const table_reader& table) {
    for (const auto& each : check_section(all_, name)) {
      if (ldap_sizes_pools_ && each.keys[0] == "min_connections") continue;
      if (std::any_of(each.keys.begin(), each.keys.end(), [&](auto key) { return table.spoiled(key); })) continue;
      const auto written = std::find_if(each.keys.begin(), each.keys.end(), [&](auto key) { return table.wrote(key); });
      problems_.add(written == each.keys.end() ? table.at() : table.place_of(*written), table.path_of(each.keys[0]),
                    each.what);
    }
  }

  const tree& root_;
  const environment_lookup& env_;
  problem_list& problems_;
  problem_list& doubts_;
  settings all_;
  std::map<std::string_view, table_reader> tables_;
  std::vector<std::pair<place, std::string>> server_places_;
  bool ldap_is_wrong_ = false;
  bool min_is_default_ = true;
  bool ldap_sizes_pools_ = false;
};

}  // namespace

settings read_settings(const tree& root, const environment_lookup& env, problem_list& problems, problem_list& doubts) {
  if (root.what == tree::kind::table) return settings_reader{root, env, problems, doubts}.read();
  problems.add(root.at, "", "must be a table of sections, not " + std::string{to_string(root.what)});
  return {};
}

connection_info read_server(const tree& table, const environment_lookup& env, problem_list& problems) {
  if (table.what != tree::kind::table) {
    problems.add(table.at, "", "must be a table of settings, not " + std::string{to_string(table.what)});
    return {};
  }
  const table_reader common{table, server_section, "", env, problems};
  const server_reader reader{nullptr, common};
  connection_info info = reader.read();
  if (!common.wrote("host") && !common.wrote("uri") && !common.wrote("srv"))
    problems.add(common.at(), "host", "is required: the name or address of the server, or uri");
  complete_endpoint(info, reader.given());
  return info;
}

}  // namespace understudy::config
