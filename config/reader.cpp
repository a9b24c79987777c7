// Reads a whole configuration: sections, servers, and the rules between keys.
#include "understudy/config/reader.hpp"
#include "understudy/config/front_door_rules.hpp"
#include "understudy/config/node_rules.hpp"
#include "understudy/config/option_value.hpp"
#include "understudy/config/rules.hpp"
#include "understudy/config/settings_from.hpp"
#include "understudy/config/text.hpp"

#include <algorithm>
#include <array>

namespace understudy::internal::config {

/// One server of a configuration while it is put together: what it says itself, and what it inherits from [ldap].
class server_reader {
 public:
  /// `own`: the server's table, null when it stands directly in [ldap]; `common`: [ldap].
  server_reader(const table_reader* own, const table_reader& common) : own_(own), common_(common) {}

  /// The server's fields; its endpoint and pool are not completed yet.
  connection_info read() const;
  /// What was given beside `uri`, so that it must agree with it.
  given_fields given() const { return {gives("host"), gives_port(), gives_use_ssl()}; }
  /// True when the server itself says so, not [ldap].
  bool gives_itself(std::string_view key) const { return own_ && own_->gave(key); }
  /// Reports broken rules at the key that is to blame, wherever that was written; not those whose keys are spoiled.
  void report(const std::vector<finding>& found, problem_list& problems) const;

 private:
  bool gives(std::string_view key) const { return table().gave(key); }
  bool gives_port() const;
  bool gives_use_ssl() const;
  bool inherits(std::string_view key) const;
  bool uri_settles_port() const;
  bool spoiled(std::string_view key) const { return (own_ && own_->spoiled(key)) || common_.spoiled(key); }
  void report_at(const finding& broken, problem_list& problems) const;
  const table_reader& table() const { return own_ ? *own_ : common_; }

  const table_reader* own_;
  const table_reader& common_;
};

namespace {

constexpr std::string_view servers_key = "servers", listeners_key = "listeners", node_section = "node",
                           front_door_section = "front_door";

void set(settings& all, const option& row, option_value value) {
  std::get<global_field>(row.field).set(all, std::move(value));
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
    if (const auto* node = section(node_section)) {
      const auto rules = [this](const node_listener_settings& listener) { return check_listener(all_.node, listener); };
      // What is missing in [node] may only be written wrongly there.
      const bool known = !node->spoiled("cert_path") && !node->spoiled("key_path") && !node->spoiled("ca_cert_path");
      read_listeners(node_section, listener_section, all_.node.listeners, rules, known);
    }
    if (section(front_door_section) != nullptr) {
      const auto rules = [this](const client_listener_settings& listener) {
        return check_client_listener(all_.servers, listener);
      };
      read_listeners(front_door_section, client_listener_section, all_.front_door.listeners, rules, true);
    }
    for (const auto& [name, table] : tables_) check(name, table);
    return std::move(all_);
  }

 private:
  void read_section(const tree& child) {
    const auto* known = find_section(child.key);
    if (!known || known->listed) return report_unknown(child);
    if (child.what != tree::kind::table) {
      if (known->name == server_section) ldap_is_wrong_ = true;
      return problems_.add(child.at, child.key, "must be a table, not " + std::string{to_string(child.what)});
    }
    const bool is_ldap = known->name == server_section;
    const bool has_listeners = known->name == node_section || known->name == front_door_section;
    const auto list = is_ldap ? servers_key : has_listeners ? listeners_key : std::string_view{};
    const auto [at, is_new] =
        tables_.try_emplace(known->name, child, known->name, std::string{known->name}, env_, problems_, list);
    if (is_ldap || !is_new) return;
    for (const auto& [what, value] : at->second.values()) set(all_, *what, value);
  }

  void report_unknown(const tree& child) {
    std::string what = child.what == tree::kind::table ? "unknown section" : "unknown key";
    const auto owner = section_with(child.key);
    if (!owner.empty() && child.what != tree::kind::table)
      what += "; it belongs in " + shown(*find_section(owner));
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
    const tree* list = child_of(server_section, servers_key);
    settle_pool(common);
    if (!list) {
      add_server({nullptr, common});
      return look_at_roles(common);
    }
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
    look_at_roles(common);
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

  /// The child `key` of the section; null when there is none.
  const tree* child_of(std::string_view section, std::string_view key) const {
    const auto named = [](std::string_view name) { return [name](const tree& child) { return child.key == name; }; };
    const auto table = std::find_if(root_.children.begin(), root_.children.end(), named(section));
    const auto child = std::find_if(table->children.begin(), table->children.end(), named(key));
    return child == table->children.end() ? nullptr : &*child;
  }

  /// The tables `name`, a list in the section `owner`. `rules`: of one; `checked`: they can be judged.
  template <class Listener, class Check>
  void read_listeners(std::string_view owner, std::string_view name, std::vector<Listener>& into, Check rules,
                      bool checked) {
    const tree* list = child_of(owner, listeners_key);
    if (!list) return;
    if (list->what != tree::kind::list)
      return problems_.add(list->at, std::string{name},
                           "must be an array of tables, one [[" + std::string{name} + "]] an address, not " +
                               std::string{to_string(list->what)});
    std::vector<std::pair<place, std::string>> places;
    for (const tree& each : list->children) {
      auto path = std::string{name} + '[' + std::to_string(places.size()) + ']';
      auto& listener = into.emplace_back();
      if (each.what == tree::kind::table) {
        const table_reader own{each, name, path, env_, problems_};
        for (const auto& [row, value] : own.values())
          std::get<option_field<Listener>>(row->field).set(listener, option_value{value});
        if (checked) report(own, rules(listener), problems_);
      } else {
        problems_.add(each.at, path, "must be a table, not " + std::string{to_string(each.what)});
      }
      places.emplace_back(each.at, std::move(path));
    }
    for (const auto& [later, earlier] : duplicate_listeners(into))
      problems_.add(places[later].first, places[later].second,
                    "is at the address of " + places[earlier].second + ": " + into[later].address);
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
    if (!reports_pool_of(reader)) leave_out(found, "pool_size");
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

  void look_at_roles(const table_reader& common) {
    const auto is_catalog = [](const connection_info& each) { return each.role == server_role::global_catalog; };
    all_.authenticator.global_catalog = std::any_of(all_.servers.begin(), all_.servers.end(), is_catalog);
    all_.authenticator.referral_servers.clear();
    for (const auto& each : all_.servers) all_.authenticator.referral_servers.push_back(server_name(each));
    auto wrong = why_no_server_for_all(all_.servers);
    if (wrong.empty()) return;
    if (server_places_.empty()) return problems_.add(common.place_of("role"), common.path_of("role"), std::move(wrong));
    problems_.add(server_places_.front().first, server_places_.front().second + ".role", std::move(wrong));
  }

  void report_duplicates() {
    for (const auto& [later, earlier] : duplicate_servers(all_.servers))
      problems_.add(
          server_places_[later].first, server_places_[later].second,
          "is the same server as " + server_places_[earlier].second + ": " + server_name(all_.servers[later]));
  }

  void check(std::string_view name, const table_reader& table) {
    auto found = check_section(all_, name);
    if (ldap_sizes_pools_) leave_out(found, "min_connections");
    report(table, found, problems_);
    report(table, doubts_about(all_, name), doubts_);
  }

  static void report(const table_reader& table, const std::vector<finding>& found, problem_list& into) {
    for (const auto& each : found) {
      if (std::any_of(each.keys.begin(), each.keys.end(), [&](auto key) { return table.spoiled(key); })) continue;
      const auto written = std::find_if(each.keys.begin(), each.keys.end(), [&](auto key) { return table.wrote(key); });
      into.add(written == each.keys.end() ? table.at() : table.place_of(*written), table.path_of(each.keys[0]),
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

using key_group = std::array<std::string_view, 3>;
constexpr key_group password_keys{"password", "password_file", "password_command"};
constexpr key_group key_password_keys{"client_key_password", "client_key_password_file", "client_key_password_command"};

bool is_in(const key_group& group, std::string_view key) {
  return std::find(group.begin(), group.end(), key) != group.end();
}

void set(connection_info& info, const option& row, option_value value) {
  std::get<server_field>(row.field).set(info, std::move(value));
}

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

// ---- the keys of one table ----

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
  conversion result = convert(*what, child, env);
  if (!result.problem.empty()) {
    spoiled_.insert(child.key);
    problems.add(child.at, path_of(child.key), std::move(result.problem));
  } else if (result.value) {
    values_.insert_or_assign(what, std::move(*result.value));
  }
}

std::string table_reader::advice(std::string_view key) const {
  if (const auto other = section_with(key); !other.empty()) return "; it belongs in " + shown(*find_section(other));
  const auto near = nearest(key, keys_of(section_));
  return near.empty() ? std::string{} : "; the nearest known key is " + quote(near);
}

void table_reader::report_unknown(const tree& child, problem_list& problems) const {
  std::string what = "unknown key";
  if (!problems.crowded()) what += advice(child.key);
  problems.add(child.at, path_of(child.key), std::move(what));
}

// ---- one server, of its own table and [ldap] ----

connection_info server_reader::read() const {
  connection_info info;
  for (const auto& [what, value] : common_.values())
    if (!own_ || inherits(what->key)) set(info, *what, value);
  if (own_)
    for (const auto& [what, value] : own_->values()) set(info, *what, value);
  return info;
}

/// A server with a source of its own for the password takes none from [ldap]; nor does one that wants to be anonymous.
bool server_reader::inherits(std::string_view key) const {
  if (key == "host" || key == "uri" || key == "srv") return false;
  if (key == "port") return !uri_settles_port();
  const auto wrote = [&](std::string_view each) { return own_->wrote(each); };
  const auto wrote_one_of = [&](const key_group& group) { return std::any_of(group.begin(), group.end(), wrote); };
  // A key's password belongs to that key.
  if (is_in(key_password_keys, key)) return !wrote("client_key_path") && !wrote_one_of(key_password_keys);
  return !is_in(password_keys, key) || (!own_->anonymous() && !wrote_one_of(password_keys));
}

bool server_reader::uri_settles_port() const {
  std::string ignored;
  const auto parsed = parse_uri(own_->text_of("uri"), ignored);
  return parsed && (parsed->port || parsed->scheme == uri_scheme::ldapi);
}

bool server_reader::gives_port() const {
  if (gives("port")) return true;
  return own_ && common_.gave("port") && !uri_settles_port();
}

/// use_ssl = false for all servers gives way to one server's ldaps; use_ssl = true never gives way silently.
bool server_reader::gives_use_ssl() const { return gives("use_ssl") || (own_ && common_.truth_of("use_ssl")); }

void server_reader::report(const std::vector<finding>& found, problem_list& problems) const {
  for (const auto& each : found)
    if (std::none_of(each.keys.begin(), each.keys.end(), [&](auto key) { return spoiled(key); }))
      report_at(each, problems);
}

/// At what the server itself wrote, if that is part of the trouble: other servers may live well with what is in [ldap].
void server_reader::report_at(const finding& broken, problem_list& problems) const {
  for (const table_reader* each : {own_, &common_})
    for (const auto key : broken.keys)
      if (each && each->wrote(key))
        return problems.add(each->place_of(key), each->path_of(broken.keys[0]), broken.what);
  problems.add(table().at(), table().path_of(broken.keys[0]), broken.what);
}

}  // namespace understudy::internal::config
