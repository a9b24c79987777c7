// One login: finds out as whom to bind, and binds.
#pragma once
#include "understudy/actors/authenticator/user_search.hpp"

namespace understudy::internal {

/// With DN templates it binds as the name that each makes, in turn, until a bind is accepted, or refused for another
/// reason than that name and password; without, it searches for the user's entry and binds as that, once. An empty
/// password is refused unsent: a directory would take it for a bind without identity (RFC 4513, 5.1.2).
class login_state final : public dialogue<login_result> {
 public:
  /// `attributes` of the user's entry are read when the user is searched for; none: none.
  login_state(authenticator_settings_ptr how, std::string user, secret password, std::vector<std::string> attributes);

  step begin() override;
  step answered(const reply_to_request& reply) override;

 private:
  step pass_on(user_search::step found);
  /// Binds as the next name; without one the last refusal is the result.
  step bind_next();
  step judge(const reply_to_request& reply);
  step refused_unsent(login_outcome outcome, std::string detail);

  authenticator_settings_ptr how_;
  secret password_;
  user_search search_;
  bool searching_ = false;
  std::vector<std::string> names_;  ///< to bind as; each once
  std::size_t tried_ = 0;           ///< of them
  std::optional<login_name> login_;
  login_result result_;
};

}  // namespace understudy::internal
