// What a directory says of a password while it answers a bind: the controls that carry it, in one form.
#pragma once
#include "understudy/messages/request.hpp"
#include "understudy/messages/time.hpp"

namespace understudy {

/// draft-behera-ldap-password-policy: on a request it asks for the response control, which has the same OID.
inline constexpr std::string_view password_policy_oid = "1.3.6.1.4.1.42.2.27.8.5.1";
///@{
/// draft-vchu-ldap-pwd-policy: unasked, the password must be changed now; it expires in so many seconds.
inline constexpr std::string_view password_expired_oid = "2.16.840.1.113730.3.4.4",
                                  password_expiring_oid = "2.16.840.1.113730.3.4.5";
///@}

/// PasswordPolicyResponseValue.error, numbered as there.
enum class password_policy_error : std::uint8_t {
  password_expired = 0,
  account_locked = 1,
  change_after_reset = 2,
  password_mod_not_allowed = 3,
  must_supply_old_password = 4,
  insufficient_password_quality = 5,
  password_too_short = 6,
  password_too_young = 7,
  password_in_history = 8
};
/// "passwordExpired" …: as the draft writes it.
std::string_view to_string(password_policy_error e) noexcept;

/// What the controls of an answer to a bind (or to a change of a password) say of the password.
struct password_policy {
  /// Nothing else is allowed until the password was changed.
  bool must_change = false;
  /// Until it expires.
  std::optional<seconds> expires_in{};
  /// Binds that are left with a password that has expired.
  std::optional<int> grace_logins{};
  /// What the server says is wrong with it.
  std::optional<password_policy_error> error{};

  /// True when there is something to be told.
  bool notable() const noexcept { return must_change || expires_in || grace_logins || error; }
};

/// Reads all of them: in the `controls` of a result, or of a failure. Controls that cannot be decoded say nothing.
password_policy read_password_policy(const std::vector<control>& controls);

/// "the password must be changed", "the password expires in 3 days" …; empty when there is nothing to be told.
std::string describe(const password_policy& policy);

/// The control that asks for password_policy_oid; never critical.
control password_policy_request();

}  // namespace understudy
