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
  /// `attributes`: as in a search_request. `server`: the one to ask, while it is well; empty: any that is for look-ups.
  user_search(authenticator_settings_ptr how, std::string user, std::vector<std::string> attributes,
              std::string server = {});

  step begin() override;
  step answered(const reply_to_request& reply) override;

  /// Who answered last; empty: nobody.
  const std::string& server() const noexcept { return server_; }

 private:
  step ask(search_request request) const;
  step next_template();
  /// What was found, as nobody wants to read it twice.
  step take(result& found);
  step ended(login_outcome outcome, std::string detail) const;
  /// "no entry matches (uid=jane)": of what was asked last.
  std::string said(std::string_view of) const;

  authenticator_settings_ptr how_;
  std::optional<login_name> login_;
  std::vector<std::string> attributes_;
  server_wish wish_;
  std::size_t next_template_ = 0;
  std::string condition_;  ///< the filter, or the DN that was read
  std::string server_;
  user_answer met_;  ///< the referrals
};

}  // namespace understudy::internal
