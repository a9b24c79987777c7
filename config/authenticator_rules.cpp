// The rules of logins: templates and filters with a place for the user's name.
#include "understudy/config/authenticator_rules.hpp"

#include "understudy/config/text.hpp"

#include <algorithm>
#include <array>

namespace understudy::internal::config {

namespace {

using findings = std::vector<finding>;

constexpr std::array<std::string_view, 3> placeholders{"{user}", "{name}", "{domain}"};

/// What is wrong with the placeholders of `text`; empty: nothing.
std::string why_no_template(std::string_view text) {
  bool names_user = false;
  for (std::size_t at = text.find_first_of("{}"); at != std::string_view::npos;) {
    const auto rest = text.substr(at);
    const auto* known = std::find_if(placeholders.begin(), placeholders.end(),
                                     [&](std::string_view each) { return rest.substr(0, each.size()) == each; });
    if (known == placeholders.end())
      return "has a brace that belongs to none of {user}, {name} and {domain}: " + quote(std::string{text});
    if (*known != "{domain}") names_user = true;
    at = text.find_first_of("{}", at + known->size());
  }
  if (!names_user) return "has neither {user} nor {name}, which the user's name replaces: " + quote(std::string{text});
  return {};
}

}  // namespace

std::vector<finding> check_authenticator(const authenticator_settings& logins) {
  findings found;
  for (const auto& each : logins.dn_templates)
    if (auto wrong = why_no_template(each); !wrong.empty()) found.push_back({{"dn_templates"}, std::move(wrong)});
  if (auto wrong = why_no_template(logins.filter); !wrong.empty())
    found.push_back({{"filter"}, std::move(wrong)});
  else if (logins.filter.front() != '(' || logins.filter.back() != ')')
    found.push_back({{"filter"}, "must be a filter in parentheses, as (uid={user}), not " + quote(logins.filter)});
  return found;
}

std::vector<finding> check_ready_for_logins(const authenticator_settings& logins) {
  settings all;
  all.authenticator = logins;
  auto found = check_fields(all, "authenticator");
  for (auto& each : check_authenticator(logins)) found.push_back(std::move(each));
  if (logins.base.empty() && logins.dn_templates.empty())
    found.push_back({{"base", "dn_templates"}, "is required, or dn_templates: where the users are"});
  return found;
}

}  // namespace understudy::internal::config
