// Names of states.
#include "understudy/messages/snapshot.hpp"

#include "understudy/messages/enum_name.hpp"

#include <array>

namespace understudy {

std::string_view to_string(server_state s) noexcept {
  constexpr std::array<std::string_view, 4> names{"healthy", "suspect", "down", "suspended"};
  return internal::enum_name(s, names);
}

std::string_view state_name(const server_snapshot& s) noexcept {
  if (s.state != server_state::healthy) return to_string(s.state);
  if (s.untried) return "not tried yet";
  return s.warning.empty() ? to_string(s.state) : "degraded";
}

std::string_view to_string(breaker_state s) noexcept {
  constexpr std::array<std::string_view, 4> names{"closed", "open", "half_open", "suspended"};
  return internal::enum_name(s, names);
}

std::string_view to_string(client_standing s) noexcept {
  constexpr std::array<std::string_view, 4> names{"anonymous", "service", "user", "proxied"};
  return internal::enum_name(s, names);
}

std::string_view to_string(result_class c) noexcept {
  constexpr std::array<std::string_view, 6> names{"success", "negative", "refused", "limited", "failed", "abandoned"};
  return internal::enum_name(c, names);
}

}  // namespace understudy
