// Changes the password of a user: finds the entry, and has the directory change it.
#pragma once
#include "understudy/actors/authenticator/user_search.hpp"

namespace understudy::internal {

/// As the service, with the user's old password, which the directory checks; without one it is a reset by the service.
/// Where the user is searched for, all is done at the server that has found the entry, while it is well.
class password_change final : public dialogue<password_change_result> {
 public:
  /// `new_password` not set: the directory makes one, by RFC 3062 alone.
  password_change(authenticator_settings_ptr how, std::string user, secret old_password, secret new_password,
                  password_method by = password_method::extended);

  step begin() override;
  step answered(const reply_to_request& reply) override;

 private:
  enum class phase : std::uint8_t { search, proof, change };

  step pass_on(user_search::step found);
  step ask_for_change();
  step proof_answered(const reply_to_request& reply);
  /// Why nothing is sent; nothing when all is well.
  std::optional<password_change_result> refused_unsent() const;
  modify_request active_directory_change() const;
  server_wish at_server() const { return {search_.server(), false}; }

  authenticator_settings_ptr how_;
  secret old_, new_;
  password_method by_;
  user_search search_;
  phase phase_ = phase::search;
  password_change_result result_;
};

/// A value of `unicodePwd`: the password in quotes, in UTF-16, the lower byte first. Nothing when it is no UTF-8.
std::optional<std::string> unicode_password(std::string_view password);

}  // namespace understudy::internal
