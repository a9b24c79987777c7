// One login: finds out as whom to bind, and binds.
#pragma once
#include "understudy/actors/authenticator/user_search.hpp"

namespace understudy::internal {

/// With DN templates it binds as the name that each makes, in turn, until a bind is accepted, or refused for another
/// reason than that name and password; without, it searches for the user's entry and binds as that, at the server that
/// has found it: another replica may not have it yet. An empty password is refused unsent: a directory would take it
/// for a bind without identity (RFC 4513, 5.1.2).
///
/// Where a bind is refused that another server's word stands behind, or a word from before (`known_dn`), the user is
/// searched for once more, at the server that has refused it. It binds again only if that finds another DN, or, where
/// referrals are followed, that another server has the entry.
class login_state final : public dialogue<login_result> {
 public:
  /// `attributes` of the user's entry are read when the user is searched for; none: none. `known_dn`: what a search has
  /// found a moment ago, for logins without attributes; it counts where users are searched for.
  login_state(authenticator_settings_ptr how, std::string user, secret password, std::vector<std::string> attributes,
              std::optional<std::string> known_dn = {});

  step begin() override;
  step answered(const reply_to_request& reply) override;

  /// What a search said of the user's DN; nothing: that there is no such user, or that there are several. Outside:
  /// whether a search said anything.
  const std::optional<std::optional<std::string>>& found_dn() const noexcept { return found_dn_; }

 private:
  step pass_on(user_search::step found);
  /// What the search at the server of the bind says of the bind's refusal.
  step look_again(lookup_result user);
  /// Binds as the next name; without one the last refusal is the result.
  step bind_next();
  step bind_answered(const reply_to_request& reply);
  /// What was bound as, or known from before, is no user's.
  void no_entry();
  step refused_unsent(login_outcome outcome, std::string detail);

  authenticator_settings_ptr how_;
  std::string user_;
  secret password_;
  std::vector<std::string> attributes_;
  user_search search_;
  bool searching_ = false;
  bool again_ = false;              ///< it was searched for twice
  std::vector<std::string> names_;  ///< to bind as; each once
  std::size_t tried_ = 0;           ///< of them
  std::optional<login_name> login_;
  std::optional<std::string> known_dn_;
  std::string found_at_;  ///< the server that has the entry; empty: not known
  std::optional<std::optional<std::string>> found_dn_;
  user_answer bind_met_;  ///< referrals of the bind that was looked into
  login_result result_;
};

}  // namespace understudy::internal
