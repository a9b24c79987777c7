// Which roles of a service a user's groups stand for.
#pragma once
#include "understudy/messages/login.hpp"

#include <memory>

namespace understudy {

/// One way from groups to roles. Make them with the functions.
struct role_rule {
  /// How `match` is meant.
  enum class kind : std::uint8_t { prefix, exact, rdn, pattern };
  kind how = kind::exact;  ///< how `match` is meant
  std::string match;       ///< what a group is compared with
  std::string role;        ///< what it becomes

  /// Groups whose name begins with `prefix`, ASCII case aside: the rest of the name is the role.
  static role_rule by_prefix(std::string prefix);
  /// The group with that name or DN: `role`.
  static role_rule by_name(std::string group, std::string role);
  /// Groups right below the DN `parent`: the value of their RDN is the role.
  static role_rule by_rdn(std::string parent);
  /// Groups whose whole name matches `expression` (ECMAScript): `role`, in which $1 … are what its groups matched. It
  /// comes from whoever configures the service: one that backtracks without end does so here.
  static role_rule by_pattern(std::string expression, std::string role);
};

/// What a user's groups come to.
struct mapped_roles {
  std::vector<std::string> roles;    ///< in alphabetical order, each once
  std::vector<std::string> unknown;  ///< roles that the service does not know; in order, each once
  std::vector<std::string> ignored;  ///< names of groups that no rule speaks of
};

/// Rules, checked once and used for every login. Thread-safe.
class role_map {
 public:
  /// `known`: the roles that the service has; none: every role is known. Throws std::invalid_argument that names the
  /// rule when one cannot be used.
  explicit role_map(std::vector<role_rule> rules, std::vector<std::string> known = {});
  /// Every rule counts for every group. No name of more than 256 bytes is compared with patterns.
  mapped_roles map(const std::vector<user_group>& groups) const;

 private:
  struct compiled;
  std::shared_ptr<const compiled> rules_;
};

}  // namespace understudy
