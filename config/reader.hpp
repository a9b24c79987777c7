// Turns a parsed configuration into settings and collects what is wrong with it.
#pragma once
#include "understudy/config/load.hpp"
#include "understudy/config/options.hpp"
#include "understudy/config/tree.hpp"

#include <map>
#include <set>

namespace understudy::internal::config {

/// The keys of one table that have a usable value, and where every key stands.
class table_reader {
 public:
  /// `prefix`: the table's path for people, "pool" or "ldap.servers[2]". Children named in `elsewhere` are left alone.
  table_reader(const tree& table, std::string_view section, std::string prefix, const environment_lookup& env,
               problem_list& problems, std::string_view elsewhere = {});

  /// The values that were given, in the order of the table of options.
  const std::map<const option*, option_value>& values() const noexcept { return values_; }
  bool gave(std::string_view key) const { return values_.count(find_option(section_, key)) != 0; }
  /// True when the key was written but has no usable value.
  bool spoiled(std::string_view key) const { return spoiled_.count(key) != 0; }
  bool wrote(std::string_view key) const { return places_.count(key) != 0; }
  const place& place_of(std::string_view key) const { return places_.find(key)->second; }
  const place& at() const noexcept { return at_; }
  std::string path_of(std::string_view key) const;
  /// The value of a text or boolean key, empty or false when it was not given.
  std::string text_of(std::string_view key) const;
  bool truth_of(std::string_view key) const;
  /// True when bind_dn was given as "": no bind, whatever is inherited.
  bool anonymous() const { return gave("bind_dn") && text_of("bind_dn").empty(); }

 private:
  void read(const tree& child, const environment_lookup& env, problem_list& problems);
  void report_unknown(const tree& child, problem_list& problems) const;
  std::string advice(std::string_view key) const;

  std::string_view section_;
  std::string prefix_;
  place at_;
  std::map<const option*, option_value> values_;
  std::map<std::string, place, std::less<>> places_;
  std::set<std::string, std::less<>> spoiled_;
};

/// Reads a whole configuration; `doubts` gets what warnings() would say, with its place.
settings read_settings(const tree& root, const environment_lookup& env, problem_list& problems, problem_list& doubts);

/// Reads the fields of one server; rules between fields are left to connection_info::validate().
connection_info read_server(const tree& table, const environment_lookup& env, problem_list& problems);

}  // namespace understudy::internal::config
