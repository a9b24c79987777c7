// The name that somebody logs in with, and where it is put in templates.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace understudy::internal {

/// A name as it was typed, and its parts when it has the form of Windows: "name@domain" or "DOMAIN\name".
struct login_name {
  std::string user;    ///< as it was typed
  std::string name;    ///< without the domain
  std::string domain;  ///< empty: none was given
};

/// The longest name that is looked at, in bytes.
inline constexpr std::size_t longest_login_name = 1024;

/// Nothing when it is empty, or longer than longest_login_name.
std::optional<login_name> parse_login_name(std::string_view typed);

///@{
/// The template with {user}, {name} and {domain} replaced, each escaped for where it stands. Nothing when the name has
/// no domain and the template wants one.
std::optional<std::string> fill_filter(std::string_view text, const login_name& login);
/// Here also nothing when the template is no DN ("{user}@example.com", "<SID={user}>") and the name has a character
/// that no account's name has: it could make another name of it, which nothing escapes.
std::optional<std::string> fill_bind_name(std::string_view text, const login_name& login);
///@}

/// True when the template makes a DN.
bool is_dn_template(std::string_view text) noexcept;

}  // namespace understudy::internal
