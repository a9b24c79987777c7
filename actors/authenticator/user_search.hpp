// Finds the entry of a user by the name of a login.
#pragma once
#include "understudy/actors/authenticator/dialogue.hpp"
#include "understudy/actors/authenticator/login_name.hpp"
#include "understudy/config/settings.hpp"
#include "understudy/messages/login.hpp"

namespace understudy::internal {

using authenticator_settings_ptr = std::shared_ptr<const authenticator_settings>;

/// With a `base` by one search, which has to find exactly one entry; else by reading the entries that the DN templates
/// name, in turn, until one is there.
class user_search final : public dialogue<lookup_result> {
 public:
  /// `attributes`: as in a search_request.
  user_search(authenticator_settings_ptr how, std::string user, std::vector<std::string> attributes);

  step begin() override;
  step answered(const reply_to_request& reply) override;

 private:
  step next_template();
  /// What was found, as nobody wants to read it twice.
  step take(result& found);
  step ended(login_outcome outcome, std::string detail) const;
  /// "no entry matches (uid=jane)": of what was asked last.
  std::string said(std::string_view of) const;

  authenticator_settings_ptr how_;
  std::optional<login_name> login_;
  std::vector<std::string> attributes_;
  std::size_t next_template_ = 0;
  std::string condition_;  ///< the filter, or the DN that was read
};

}  // namespace understudy::internal
