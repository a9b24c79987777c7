// Names and public words of what becomes of logins.
#include "understudy/messages/login.hpp"

#include "understudy/messages/enum_name.hpp"

#include <array>

namespace understudy {

std::string_view to_string(login_outcome outcome) noexcept {
  constexpr std::array<std::string_view, 13> names{"ok",
                                                   "bad_credentials",
                                                   "no_such_user",
                                                   "ambiguous",
                                                   "password_expired",
                                                   "must_change",
                                                   "account_disabled",
                                                   "account_expired",
                                                   "account_locked",
                                                   "restricted",
                                                   "password_refused",
                                                   "unavailable",
                                                   "service_identity_rejected"};
  return internal::enum_name(outcome, names);
}

std::string_view public_message(login_outcome outcome) noexcept {
  switch (outcome) {
    case login_outcome::ok:
      return "You are logged in.";
    case login_outcome::password_expired:
    case login_outcome::must_change:
      return "The password has to be changed before you can log in.";
    case login_outcome::password_refused:
      return "The new password is not as the directory wants passwords.";
    case login_outcome::unavailable:
    case login_outcome::service_identity_rejected:
      return "Logging in is not possible at the moment. Try again later.";
    default:
      return "The name or the password is wrong, or the account may not log in.";
  }
}

}  // namespace understudy
