// Turns paths of struct members into the getters and setters of the option table.
#pragma once
#include "understudy/config/options.hpp"

#include <type_traits>

namespace understudy::config {

template <class T>
option_value wrap(const T& field) {
  if constexpr (std::is_same_v<T, bool> || std::is_floating_point_v<T>)
    return field;
  else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>)
    return static_cast<std::int64_t>(field);
  else
    return field;
}

template <class T>
void unwrap(T& field, option_value&& value) {
  if constexpr (!std::is_same_v<T, bool> && (std::is_enum_v<T> || std::is_integral_v<T>))
    field = static_cast<T>(std::get<std::int64_t>(value));
  else
    field = std::get<T>(std::move(value));
}

/// A member of connection_info.
template <auto Member>
constexpr server_field of_server() {
  return {[](const connection_info& owner) { return wrap(owner.*Member); },
          [](connection_info& owner, option_value&& value) { unwrap(owner.*Member, std::move(value)); }};
}

/// A member of a member of settings.
template <auto Part, auto Member>
constexpr global_field of_all() {
  return {[](const settings& owner) { return wrap((owner.*Part).*Member); },
          [](settings& owner, option_value&& value) { unwrap((owner.*Part).*Member, std::move(value)); }};
}

/// A span that the struct keeps as a whole number of milliseconds.
template <auto Part, auto Member>
constexpr global_field of_all_in_milliseconds() {
  return {[](const settings& owner) { return option_value{duration{milliseconds{(owner.*Part).*Member}}}; },
          [](settings& owner, option_value&& value) {
            (owner.*Part).*Member =
                static_cast<int>(std::chrono::duration_cast<milliseconds>(std::get<duration>(value)).count());
          }};
}

}  // namespace understudy::config
