// Result codes, controls and diagnostics, made into outcomes of logins.
#include "understudy/actors/authenticator/login_verdict.hpp"

#include "understudy/messages/text.hpp"

#include <charconv>

namespace understudy::internal {
namespace {

// RFC 4511, appendix A; the rest stands in messages/result.hpp.
constexpr int constraint_violation = 19;

bool says(const std::string& diagnostic, std::string_view words) {
  return ascii_lower(diagnostic).find(words) != std::string::npos;
}

/// As Active Directory numbers them; they are errors of Windows.
std::optional<login_outcome> outcome_of(unsigned code) noexcept {
  switch (code) {
    case 0x525:
      return login_outcome::no_such_user;
    case 0x52e:
      return login_outcome::bad_credentials;
    case 0x52f:  // a restriction of the account, not said which
    case 0x530:  // not at this time
    case 0x531:  // not from this machine
    case 0x534:  // not in this way
      return login_outcome::restricted;
    case 0x532:
      return login_outcome::password_expired;
    case 0x533:
      return login_outcome::account_disabled;
    case 0x701:
      return login_outcome::account_expired;
    case 0x773:
      return login_outcome::must_change;
    case 0x775:
      return login_outcome::account_locked;
    default:
      return std::nullopt;
  }
}

std::optional<login_outcome> outcome_of(const password_policy& policy) noexcept {
  if (policy.error == password_policy_error::account_locked) return login_outcome::account_locked;
  if (policy.error == password_policy_error::password_expired) return login_outcome::password_expired;
  return std::nullopt;
}

std::optional<login_outcome> refused_bind(const failure& why, const password_policy& policy) {
  // Of a bind that never reached a directory, or whose answer was not its own, nothing is said of the user.
  if (why.code != errc::authentication_failed) return std::nullopt;
  // 389 Directory Server: "Account inactivated. Contact system administrator.", with a control that says accountLocked.
  if (why.ldap_code == result_code::unwilling_to_perform && says(why.diagnostic, "inactivated"))
    return login_outcome::account_disabled;
  if (const auto said = outcome_of(policy)) return said;
  switch (why.ldap_code) {
    case result_code::invalid_credentials:
      if (const auto code = active_directory_code(why.diagnostic)) {
        if (const auto known = outcome_of(*code)) return known;
      }
      // 389 Directory Server, of a password that has expired.
      return policy.must_change ? login_outcome::password_expired : login_outcome::bad_credentials;
    case result_code::inappropriate_authentication:
      return login_outcome::bad_credentials;  // the entry has no password
    case result_code::no_such_object:
    case result_code::invalid_dn_syntax:
      return login_outcome::no_such_user;
    case constraint_violation:
      return login_outcome::account_locked;  // 389 Directory Server: "Exceed password retry limit."
    default:
      return std::nullopt;
  }
}

std::optional<login_outcome> refused_change(const failure& why, const password_policy& policy) {
  if (why.code != errc::ldap_error && why.code != errc::authentication_failed) return std::nullopt;
  if (const auto said = outcome_of(policy)) return said;
  if (policy.error && *policy.error != password_policy_error::change_after_reset)
    return login_outcome::password_refused;
  switch (why.ldap_code) {
    case result_code::invalid_credentials:
      return login_outcome::bad_credentials;
    case result_code::unwilling_to_perform:
      // OpenLDAP: "unwilling to verify old password".
      if (says(why.diagnostic, "old password")) return login_outcome::bad_credentials;
      // Active Directory, of the new one: ERROR_PASSWORD_RESTRICTION.
      if (says(why.diagnostic, "0000052d:")) return login_outcome::password_refused;
      return std::nullopt;
    case constraint_violation:
      // Active Directory, of the old one: ERROR_INVALID_PASSWORD.
      if (says(why.diagnostic, "00000056:")) return login_outcome::bad_credentials;
      return login_outcome::password_refused;
    case result_code::no_such_object:
      return login_outcome::no_such_user;
    default:
      return std::nullopt;
  }
}

bool is_worth_another_try(const failure& why) noexcept {
  switch (why.code) {
    case errc::pool_exhausted:
    case errc::pool_timeout:
    case errc::queue_full:
    case errc::no_server:
    case errc::breaker_open:
    case errc::connection_timeout:
    case errc::connection_failed:
    case errc::local_resources:
    case errc::ssl_error:
    case errc::operation_timeout:
    case errc::outcome_unknown:
    case errc::connection_unhealthy:
    case errc::draining:
      return true;
    case errc::ldap_error:
    case errc::authentication_failed:
      return classify(why, true) == failure_class::overload;
    default:
      return false;
  }
}

void settle(std::optional<login_outcome> outcome, const failure_ptr& why, user_answer& into) {
  describe_failure(why, into);
  if (!outcome) return;
  into.outcome = *outcome;
  into.retryable = false;
}

}  // namespace

std::optional<unsigned> active_directory_code(std::string_view diagnostic) noexcept {
  constexpr std::string_view mark = ", data ";
  const auto at = diagnostic.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const auto digits = diagnostic.substr(at + mark.size());
  unsigned code = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
  if (error != std::errc{} || (end != digits.data() + digits.size() && *end != ',' && *end != ' ')) return std::nullopt;
  return code;
}

login_outcome classify_accepted_bind(const password_policy& policy) noexcept {
  if (policy.must_change) return login_outcome::must_change;
  return login_outcome::ok;
}

void classify_refused_bind(const failure_ptr& why, const password_policy& policy, user_answer& into) {
  settle(refused_bind(*why, policy), why, into);
}

void classify_refused_change(const failure_ptr& why, const password_policy& policy, user_answer& into) {
  settle(refused_change(*why, policy), why, into);
}

bool directory_is_away(const failure& why, bool whole_timeout) noexcept {
  switch (why.code) {
    case errc::no_server:
    case errc::breaker_open:
    case errc::connection_timeout:
    case errc::connection_failed:
    case errc::connection_unhealthy:
    case errc::ssl_error:
      return true;
    case errc::operation_timeout:
    case errc::pool_timeout:
    case errc::outcome_unknown:  // a bind that was not answered
      return whole_timeout;
    default:
      return false;
  }
}

void describe_failure(const failure_ptr& why, user_answer& into) {
  const bool by_service =
      why->code == errc::service_authentication_failed || why->cause_code == errc::service_authentication_failed;
  into.outcome = by_service ? login_outcome::service_identity_rejected : login_outcome::unavailable;
  into.detail = describe(*why);
  into.retryable = !by_service && is_worth_another_try(*why);
  into.retry_after = why->retry_after;
  into.failed = why;
}

}  // namespace understudy::internal
