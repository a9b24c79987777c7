// Names of states.
#include "understudy/messages/snapshot.hpp"

#include <array>

namespace understudy {

std::string_view to_string(server_state s) noexcept {
  constexpr std::array<std::string_view, 4> names{"healthy", "suspect", "down", "suspended"};
  const auto i = static_cast<std::size_t>(s);
  return i < names.size() ? names[i] : "unknown";
}

std::string_view state_name(const server_snapshot& s) noexcept {
  if (s.state != server_state::healthy) return to_string(s.state);
  if (s.untried) return "not tried yet";
  return s.warning.empty() ? to_string(s.state) : "degraded";
}

std::string_view to_string(breaker_state s) noexcept {
  constexpr std::array<std::string_view, 4> names{"closed", "open", "half_open", "suspended"};
  const auto i = static_cast<std::size_t>(s);
  return i < names.size() ? names[i] : "unknown";
}

std::string_view to_string(client_standing s) noexcept {
  constexpr std::array<std::string_view, 4> names{"anonymous", "service", "user", "proxied"};
  const auto i = static_cast<std::size_t>(s);
  return i < names.size() ? names[i] : "unknown";
}

std::string_view to_string(result_class c) noexcept {
  constexpr std::array<std::string_view, 6> names{"success", "negative", "refused", "limited", "failed", "abandoned"};
  const auto i = static_cast<std::size_t>(c);
  return i < names.size() ? names[i] : "unknown";
}

}  // namespace understudy
