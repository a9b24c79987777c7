// The one table of all settings: parsing, validation, dumps, documentation and the sample file come from it.
#pragma once
#include "understudy/config/settings.hpp"

#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace understudy::internal::config {

enum class option_type : std::uint8_t { boolean, integer, real, span, text, secret_text, path, words, texts, choice };

/// A value of any option; a choice is the index of its name in `option::choices`.
using option_value = std::variant<bool, std::int64_t, double, duration, std::string, secret, std::vector<std::string>>;

/// How a value gets into its struct and out of it.
template <class Owner>
struct option_field {
  option_value (*get)(const Owner&) = nullptr;
  void (*set)(Owner&, option_value&&) = nullptr;
};
using server_field = option_field<connection_info>;
using global_field = option_field<settings>;
using listener_field = option_field<node_listener_settings>;
using client_listener_field = option_field<client_listener_settings>;

/// One key of the configuration.
struct option {
  std::string_view section;
  std::string_view key;
  option_type type = option_type::text;
  std::string_view meaning;  ///< one sentence
  std::variant<server_field, global_field, listener_field, client_listener_field> field;
  std::string_view unit;  ///< "s", "ms", "%", "bytes"; spans count in it when they are written as numbers
  double least = 0;       ///< inclusive range of integer, real and span, in `unit`
  double most = 0;
  std::vector<std::string_view> choices;
  std::string_view example;       ///< as it stands in the sample file, for keys whose default is "not set"
  std::string_view default_note;  ///< replaces the default's text where it is no constant
  bool reloadable = true;         ///< a reload applies a changed value; otherwise a restart does

  bool numeric() const noexcept {
    return type == option_type::integer || type == option_type::real || type == option_type::span;
  }
};

/// A table of the file and what it is for.
struct option_section {
  std::string_view name;
  std::string_view meaning;
  bool listed = false;  ///< an array of such tables, in the table that its name begins with
};
/// As it stands in a file: "[pool]", "[[node.listeners]]".
std::string shown(const option_section& section);

/// The section whose keys are the fields of connection_info.
inline constexpr std::string_view server_section = "ldap";
/// The section whose keys are the fields of node_listener_settings.
inline constexpr std::string_view listener_section = "node.listeners";
/// The section whose keys are the fields of client_listener_settings.
inline constexpr std::string_view client_listener_section = "front_door.listeners";

std::span<const option_section> option_sections();
std::span<const option> options();

const option_section* find_section(std::string_view name);
const option* find_option(std::string_view section, std::string_view key);
/// The names of the sections that are no lists; the keys of one; the keys of all.
std::vector<std::string_view> section_names();
std::vector<std::string_view> keys_of(std::string_view section);
/// The first section that knows `key`, empty when none does.
std::string_view section_with(std::string_view key);

/// The length of the option's unit (a second where it has none).
duration unit_length(const option& row);
/// The default, taken from a default-made struct. Only for options with a field.
option_value default_of(const option& row);

}  // namespace understudy::internal::config
