// Cuts names of logins into parts, and fills templates.
#include "understudy/actors/authenticator/login_name.hpp"

#include "understudy/messages/dn.hpp"
#include "understudy/messages/filter.hpp"
#include "understudy/messages/name.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace understudy::internal {
namespace {

/// Calls `escape` for each value that is put in; it may say that there is none.
template <class Escape>
std::optional<std::string> fill(std::string_view text, const login_name& login, Escape escape) {
  const std::array<std::pair<std::string_view, const std::string*>, 3> places{
      {{"{user}", &login.user}, {"{name}", &login.name}, {"{domain}", &login.domain}}};
  std::string filled;
  while (!text.empty()) {
    const auto* place = std::find_if(places.begin(), places.end(),
                                     [&](const auto& each) { return text.substr(0, each.first.size()) == each.first; });
    if (place == places.end()) {
      filled += text.front();
      text.remove_prefix(1);
      continue;
    }
    if (place->second->empty()) return std::nullopt;
    const std::optional<std::string> value = escape(*place->second, place->first);
    if (!value) return std::nullopt;
    filled += *value;
    text.remove_prefix(place->first.size());
  }
  return filled;
}

/// No account of Active Directory's has these in its name.
bool is_account_character(char c) noexcept {
  return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f &&
         std::string_view{"\"/[]:;|=,+*?<>(){}"}.find(c) == std::string_view::npos;
}

bool is_account_name(std::string_view text) noexcept {
  auto rest = text;
  while (!rest.empty()) {
    const auto length = utf8_sequence(rest);
    if (length == 0) return false;
    rest.remove_prefix(length);
  }
  return std::all_of(text.begin(), text.end(), is_account_character);
}

}  // namespace

std::optional<login_name> parse_login_name(std::string_view typed) {
  if (typed.empty() || typed.size() > longest_login_name) return std::nullopt;
  login_name made{std::string{typed}, std::string{typed}, {}};
  const auto slash = typed.find('\\');
  if (slash != std::string_view::npos) {
    const bool only_one = typed.find('\\', slash + 1) == std::string_view::npos;
    if (!only_one || slash == 0 || slash + 1 == typed.size()) return made;
    made.domain = typed.substr(0, slash);
    made.name = typed.substr(slash + 1);
    return made;
  }
  const auto at = typed.rfind('@');
  if (at == std::string_view::npos || at == 0 || at + 1 == typed.size()) return made;
  made.name = typed.substr(0, at);
  made.domain = typed.substr(at + 1);
  return made;
}

std::optional<std::string> fill_filter(std::string_view text, const login_name& login) {
  return fill(text, login, [](const std::string& value, std::string_view) { return filter::escape(value); });
}

std::optional<std::string> fill_bind_name(std::string_view text, const login_name& login) {
  if (is_dn_template(text))
    return fill(text, login, [](const std::string& value, std::string_view) { return dn::escape(value); });
  return fill(text, login, [](const std::string& value, std::string_view place) -> std::optional<std::string> {
    // As it was typed it may have the one of its own form.
    const bool parted = value.find_first_of("@\\") != std::string::npos;
    if (!is_account_name(value) || (parted && place != "{user}")) return std::nullopt;
    return value;
  });
}

bool is_dn_template(std::string_view text) noexcept {
  return text.find('=') != std::string_view::npos && text.front() != '<';
}

}  // namespace understudy::internal
