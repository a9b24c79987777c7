// What result codes, diagnostics and controls say of a user.
#include "understudy/actors/authenticator/login_verdict.hpp"

#include "authenticator/played_dialogue.hpp"
#include "support/mutation.hpp"

#include <set>

using namespace understudy;
using namespace understudy::internal;

namespace {

failure refusal(int code, std::string diagnostic = {}) {
  failure why;
  why.code = errc::authentication_failed;
  why.ldap_code = code;
  why.diagnostic = std::move(diagnostic);
  return why;
}

login_outcome judged(failure why, const password_policy& policy = {}) {
  user_answer into;
  classify_refused_bind(make_failure(std::move(why)), policy, into);
  return into.outcome;
}

std::string active_directory(const std::string& data) {
  return "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data " + data + ", v4563";
}

password_policy said(password_policy_error error) {
  password_policy policy;
  policy.error = error;
  return policy;
}

}  // namespace

BOOST_AUTO_TEST_CASE(active_directory_says_why_in_its_diagnostic) {
  using enum login_outcome;
  const std::pair<const char*, login_outcome> known[] = {
      {"525", no_such_user},    {"52e", bad_credentials},  {"52f", restricted},       {"530", restricted},
      {"531", restricted},      {"532", password_expired}, {"533", account_disabled}, {"534", restricted},
      {"701", account_expired}, {"773", must_change},      {"775", account_locked},   {"7", bad_credentials},
      {"52E", bad_credentials}};
  for (const auto& [data, outcome] : known) BOOST_TEST(judged(refusal(49, active_directory(data))) == outcome, data);
  for (const auto* none : {"", "data 532", ", data ", ", data x", ", data 532v", ", data fffffffff"})
    BOOST_TEST(judged(refusal(49, none)) == bad_credentials, none);
  // Of anything but a wrong name or password the words mean nothing.
  BOOST_TEST(judged(refusal(53, active_directory("532"))) == unavailable);
}

BOOST_AUTO_TEST_CASE(result_codes_and_controls_say_why) {
  using enum login_outcome;
  BOOST_TEST(judged(refusal(49)) == bad_credentials);
  BOOST_TEST(judged(refusal(48)) == bad_credentials);
  BOOST_TEST(judged(refusal(32)) == no_such_user);
  BOOST_TEST(judged(refusal(34)) == no_such_user);
  BOOST_TEST(judged(refusal(19, "Exceed password retry limit. Please try later.")) == account_locked);
  BOOST_TEST(judged(refusal(53, "Account inactivated. Contact system administrator.")) == account_disabled);
  // It says so with the control for an account that is locked.
  BOOST_TEST(judged(refusal(53, "Account inactivated. Contact system administrator."),
                    said(password_policy_error::account_locked)) == account_disabled);
  BOOST_TEST(judged(refusal(53, "no")) == unavailable);
  BOOST_TEST(judged(refusal(13)) == unavailable);
  BOOST_TEST(judged(refusal(49), said(password_policy_error::account_locked)) == account_locked);
  BOOST_TEST(judged(refusal(49), said(password_policy_error::password_expired)) == password_expired);
  password_policy expired;
  expired.must_change = true;
  BOOST_TEST(judged(refusal(49), expired) == password_expired);
  BOOST_TEST(classify_accepted_bind(expired) == must_change);
  password_policy soon;
  soon.expires_in = seconds{60};
  soon.grace_logins = 1;
  BOOST_TEST(classify_accepted_bind(soon) == ok);
}

BOOST_AUTO_TEST_CASE(what_is_no_answer_about_a_user_is_never_one) {
  for (std::size_t i = 1; i < errc_count; ++i) {
    const auto code = static_cast<errc>(i);
    if (code == errc::authentication_failed) continue;
    failure why = refusal(49, active_directory("52e"));
    why.code = code;
    const auto outcome = judged(why, said(password_policy_error::account_locked));
    const bool by_service = code == errc::service_authentication_failed;
    BOOST_TEST(outcome == (by_service ? login_outcome::service_identity_rejected : login_outcome::unavailable),
               to_string(code));
  }
  failure none = refusal(0);
  none.code = errc::no_server;
  none.cause_code = errc::service_authentication_failed;
  BOOST_TEST(judged(none) == login_outcome::service_identity_rejected);
}

BOOST_AUTO_TEST_CASE(a_failure_says_whether_to_try_again) {
  const auto retryable = [](errc code, int ldap_code = 0) {
    failure why;
    why.code = code;
    why.ldap_code = ldap_code;
    why.retry_after = milliseconds{250};
    user_answer into;
    describe_failure(make_failure(why), into);
    BOOST_TEST(into.retry_after.value_or(milliseconds{0}).count() == 250);
    BOOST_TEST(into.failed != nullptr);
    BOOST_TEST(into.detail != "");
    return into.retryable;
  };
  for (const auto code : {errc::no_server, errc::breaker_open, errc::pool_timeout, errc::operation_timeout,
                          errc::connection_failed, errc::outcome_unknown, errc::draining})
    BOOST_TEST(retryable(code), to_string(code));
  for (const auto code : {errc::cancelled, errc::invalid_request, errc::invalid_config, errc::stopped, errc::internal,
                          errc::service_authentication_failed, errc::result_too_large})
    BOOST_TEST(!retryable(code), to_string(code));
  BOOST_TEST(retryable(errc::ldap_error, result_code::busy));
  BOOST_TEST(!retryable(errc::ldap_error, result_code::insufficient_access));
}

BOOST_AUTO_TEST_CASE(a_directory_is_away_when_no_server_could_be_asked) {
  const std::set<errc> away{errc::no_server,         errc::breaker_open,         errc::connection_timeout,
                            errc::connection_failed, errc::connection_unhealthy, errc::ssl_error};
  const std::set<errc> when_waited_for{errc::operation_timeout, errc::pool_timeout, errc::outcome_unknown};
  for (std::size_t i = 0; i < errc_count; ++i) {
    const auto code = static_cast<errc>(i);
    for (const int ldap_code : {0, result_code::busy, result_code::unavailable, result_code::invalid_credentials}) {
      failure why;
      why.code = code;
      why.ldap_code = ldap_code;
      BOOST_TEST(directory_is_away(why, false) == (away.count(code) != 0), to_string(code));
      BOOST_TEST(directory_is_away(why, true) == (away.count(code) + when_waited_for.count(code) != 0),
                 to_string(code));
    }
  }
}

BOOST_AUTO_TEST_CASE(changes_of_passwords_are_judged_by_their_own_codes) {
  const auto changed = [](int code, const std::string& diagnostic = {}, const password_policy& policy = {},
                          errc as = errc::ldap_error) {
    failure why = refusal(code, diagnostic);
    why.code = as;
    user_answer into;
    classify_refused_change(make_failure(std::move(why)), policy, into);
    return into.outcome;
  };
  using enum login_outcome;
  BOOST_TEST(changed(53, "unwilling to verify old password") == bad_credentials);
  BOOST_TEST(changed(53, "no password-modify for you") == unavailable);
  BOOST_TEST(changed(53, "0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0") ==
             password_refused);
  BOOST_TEST(changed(19, "0000052D: AtrErr: DSID-03191083, #1: 0: 0000052D: DSID-03191083") == password_refused);
  BOOST_TEST(changed(19, "00000056: AtrErr: DSID-03191083, #1: 0: 00000056: DSID-03191083") == bad_credentials);
  // As Samba words them.
  const std::string samba = ": Constraint violation - check_password_restrictions: ";
  BOOST_TEST(changed(19, "00000056" + samba + "The old password specified doesn't match!") == bad_credentials);
  BOOST_TEST(changed(19, "0000052D" + samba + "the password was already used (in history)!") == password_refused);
  BOOST_TEST(changed(2, "Extended Operation(1.3.6.1.4.1.4203.1.11.1) not supported") == unavailable);
  BOOST_TEST(changed(49) == bad_credentials);
  BOOST_TEST(changed(19, "Password fails quality checking policy") == password_refused);
  BOOST_TEST(changed(19, {}, said(password_policy_error::password_in_history)) == password_refused);
  BOOST_TEST(changed(50, {}, said(password_policy_error::password_mod_not_allowed)) == password_refused);
  BOOST_TEST(changed(50) == unavailable);
  BOOST_TEST(changed(32) == no_such_user);
  BOOST_TEST(changed(19, {}, {}, errc::operation_timeout) == unavailable);
}

BOOST_AUTO_TEST_CASE(diagnostics_of_any_bytes_are_read_within_their_bounds) {
  std::mt19937 random{3};
  const auto good = active_directory("52e");
  BOOST_TEST(active_directory_code(good).value_or(0) == 0x52eU);
  for (std::size_t n = 0; n < good.size(); ++n) (void)active_directory_code(std::string{good.substr(0, n)});
  int read = 0;
  for (int round = 0; round < 20000; ++round) read += active_directory_code(test::mutated(good, random)).has_value();
  BOOST_TEST(read > 0);
}

BOOST_AUTO_TEST_CASE(what_may_be_told_does_not_tell_who_exists) {
  using enum login_outcome;
  for (const auto outcome : {no_such_user, ambiguous, account_disabled, account_expired, account_locked, restricted})
    BOOST_TEST(public_message(outcome) == public_message(bad_credentials), to_string(outcome));
  BOOST_TEST(public_message(service_identity_rejected) == public_message(unavailable));
  BOOST_TEST(public_message(ok) != public_message(bad_credentials));
  BOOST_TEST(to_string(service_identity_rejected) == "service_identity_rejected");
  BOOST_TEST(to_string(password_refused) == "password_refused");
}
