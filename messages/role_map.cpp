// Compares the names of groups with rules.
#include "understudy/messages/role_map.hpp"

#include "understudy/messages/dn.hpp"
#include "understudy/messages/dn_match.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>
#include <regex>
#include <set>
#include <stdexcept>

namespace understudy {

using namespace internal;

namespace {

// The library's matcher goes one call deeper with each character.
constexpr std::size_t longest_matched = 256;

/// The DN without its first RDN, as comparable_dn() has both.
std::string parent_of(const std::string& comparable) {
  for (std::size_t i = 0; i < comparable.size(); ++i)
    if (comparable[i] == '\\')
      ++i;
    else if (comparable[i] == ',')
      return comparable.substr(i + 1);
  return {};
}

}  // namespace

role_rule role_rule::by_prefix(std::string prefix) { return {kind::prefix, std::move(prefix), {}}; }
role_rule role_rule::by_name(std::string group, std::string role) {
  return {kind::exact, std::move(group), std::move(role)};
}
role_rule role_rule::by_rdn(std::string parent) { return {kind::rdn, std::move(parent), {}}; }
role_rule role_rule::by_pattern(std::string expression, std::string role) {
  return {kind::pattern, std::move(expression), std::move(role)};
}

struct role_map::compiled {
  struct rule {
    role_rule given;
    std::string dn;         ///< of exact and rdn: `match` as a DN
    bool names_dn = false;  ///< of exact: it is a DN
    std::regex expression;  ///< of pattern
  };
  std::vector<rule> rules;
  std::set<std::string> known;

  /// The role; empty: the rule does not speak of that group.
  static std::string apply(const rule& by, const user_group& group, const std::string& dn) {
    const auto& match = by.given.match;
    switch (by.given.how) {
      case role_rule::kind::prefix:
        return same_name(std::string_view{group.name}.substr(0, match.size()), match) ? group.name.substr(match.size())
                                                                                      : std::string{};
      case role_rule::kind::exact:
        // A group may have a name that reads like another one's DN.
        return (by.names_dn ? dn == by.dn : same_name(group.name, match)) ? by.given.role : std::string{};
      case role_rule::kind::rdn:
        return parent_of(dn) == by.dn ? group.name : std::string{};
      case role_rule::kind::pattern:
        break;
    }
    std::smatch matched;
    if (group.name.size() > longest_matched || !std::regex_match(group.name, matched, by.expression)) return {};
    return matched.format(by.given.role);
  }
};

role_map::role_map(std::vector<role_rule> rules, std::vector<std::string> known) {
  auto made = std::make_shared<compiled>();
  made->known = {known.begin(), known.end()};
  for (auto& each : rules) {
    if (each.match.empty()) throw std::invalid_argument("a rule for roles has nothing to compare groups with");
    compiled::rule rule;
    rule.dn = comparable_dn(each.match);
    rule.names_dn = each.match.find('=') != std::string::npos;
    if (each.how == role_rule::kind::pattern) {
      try {
        rule.expression = std::regex(each.match);
      } catch (const std::regex_error& e) {
        throw std::invalid_argument("\"" + each.match + "\" is no regular expression: " + e.what());
      }
    }
    rule.given = std::move(each);
    made->rules.push_back(std::move(rule));
  }
  rules_ = std::move(made);
}

mapped_roles role_map::map(const std::vector<user_group>& groups) const {
  std::set<std::string> roles, unknown;
  mapped_roles found;
  for (const auto& group : groups) {
    const auto dn = comparable_dn(group.dn);
    bool spoken_of = false;
    for (const auto& rule : rules_->rules) {
      auto role = compiled::apply(rule, group, dn);
      if (role.empty()) continue;
      spoken_of = true;
      const bool known = rules_->known.empty() || rules_->known.count(role) > 0;
      (known ? roles : unknown).insert(std::move(role));
    }
    if (!spoken_of) found.ignored.push_back(group.name);
  }
  found.roles = {roles.begin(), roles.end()};
  found.unknown = {unknown.begin(), unknown.end()};
  return found;
}

}  // namespace understudy
