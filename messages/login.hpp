// What comes of logging somebody in, of looking a user up, and of asking for a user's groups.
#pragma once
#include "understudy/messages/error.hpp"
#include "understudy/messages/password_policy.hpp"
#include "understudy/messages/result.hpp"

namespace understudy {

/// What became of a login. What a directory does not tell apart is not told apart here either.
enum class login_outcome : std::uint8_t {
  ok,                ///< the password is right, and the user may go on
  bad_credentials,   ///< the password is wrong, or empty
  no_such_user,      ///< no entry is found by that name
  ambiguous,         ///< several are
  password_expired,  ///< it has to be changed before anything else, if the directory still lets the user do so
  must_change,       ///< the password is right, and has to be changed before anything else
  account_disabled,  ///< by an administrator
  account_expired,   ///< its time is over
  account_locked,    ///< after too many wrong passwords
  restricted,        ///< not at this time, or not from this machine
  password_refused,  ///< of a change: the new one is not as the directory wants passwords
  unavailable,       ///< it could not be found out: see `retryable`
  /// The service's own password was refused, or is missing: no user did anything wrong, whoever runs the service has to
  /// change its configuration.
  service_identity_rejected,
};
/// "bad_credentials" …: the stable name used in logs and JSON.
std::string_view to_string(login_outcome outcome) noexcept;

/// What may be told to whoever tried to log in: the same words for a wrong password, an unknown user and an account
/// that is closed, so that nobody learns from it which names exist.
std::string_view public_message(login_outcome outcome) noexcept;

/// What all answers about users have in common.
struct user_answer {
  /// The answer itself.
  login_outcome outcome = login_outcome::unavailable;
  /// What happened, for the log; never for who tries to log in: it says which names exist. No secrets. Empty: all is
  /// said by the outcome.
  std::string detail;
  /// Of unavailable: the same request may well be answered a moment later.
  bool retryable = false;
  /// When it is worth to try again, if that is known.
  std::optional<milliseconds> retry_after;
  /// What the directory, or the way to it, failed with; null when nothing did.
  failure_ptr failed;
  /// Referrals to other directories that were met and not followed: what they have is not in this answer.
  std::uint32_t referrals_met = 0;
  /// Their URIs, each once and 100 at most, when `authenticator.referrals` is "report" or "chase".
  std::vector<std::string> referrals{};

  /// True when the outcome is ok.
  explicit operator bool() const noexcept { return outcome == login_outcome::ok; }
};

/// What came of a login.
struct login_result : user_answer {
  /// The user's entry; where a template that is no DN was bound as, that name. Empty when no entry was found.
  std::string dn;
  /// The user's entry, with the attributes that were asked for; of logins by template it has none.
  entry user;
  /// What the directory says of the password: expiry, logins that are left.
  password_policy password;
  /// Who checked the password, as "host:port".
  std::string server;
  /// True: the directory was not asked, or could not be, and the answer is that of an earlier login with the same
  /// password (`cache_ttl`, `cache_grace`). In the second case `failed` says why it could not be asked.
  bool cached = false;
};

/// What came of looking a user up; never says anything of a password.
struct lookup_result : user_answer {
  /// The user's entry, with the attributes that were asked for.
  entry user;
};

/// What came of reading entries by DN or filter.
struct fetch_result : user_answer {
  std::vector<entry> entries;  ///< those that were found; none: outcome no_such_user
  /// False: the directory has more of them, or of the values of one of them, than it gave.
  bool complete = true;
};

/// A group that a user is in.
struct user_group {
  std::string dn;    ///< its entry
  std::string name;  ///< the value of its first RDN
};

/// What came of asking for a user's groups.
struct group_result : user_answer {
  std::string dn;                  ///< the user's entry
  std::vector<user_group> groups;  ///< each once, in the order in which they were found
  /// False: there are more of them (`max_groups`, `group_depth`, or a limit of the directory's own).
  bool complete = true;
};

/// How a password is changed.
enum class password_method : std::uint8_t {
  extended,     ///< the extended operation of RFC 3062; not at Active Directory
  unicode_pwd,  ///< a modify of Active Directory's `unicodePwd`, which wants an encrypted connection
  /// A modify of `userPassword`, after a bind with the old password; how it is kept is for the directory to say.
  user_password
};

/// What came of a change of a password.
struct password_change_result : user_answer {
  std::string dn;          ///< the user's entry
  secret generated;        ///< the new password, when the directory made it
  password_policy policy;  ///< what the directory says of the new one
};

}  // namespace understudy
