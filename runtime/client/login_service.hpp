// What an authenticator has: its settings, and what logins leave behind.
#pragma once
#include "understudy/actors/authenticator/cached_login.hpp"
#include "understudy/actors/authenticator/shared_requests.hpp"
#include "understudy/runtime/client/referral_targets.hpp"

namespace understudy::internal {

/// All that calls with the same settings have in common.
struct login_state_of_service {
  authenticator_settings_ptr how;
  std::shared_ptr<login_memory> memory;
  std::shared_ptr<shared_requests> shared;
  std::shared_ptr<const referral_targets> targets;  ///< null: no referral is followed

  ///@{
  /// The directory is asked again about that user, or about everybody, by each login that begins after this; also where
  /// an equal request is under way.
  void forget(const std::string& user) const;
  void forget_all() const;
  ///@}
  /// What was remembered of the former password must not count any longer. The user may have logged in under several
  /// names, so everybody is asked about again. Without an answer the change may have happened.
  void forget_after(const password_change_result& changed) const;
};

/// Exchanges all of that at once. Thread-safe.
class login_service {
 public:
  /// Throws config_error with every problem.
  explicit login_service(authenticator_settings how, referral_targets::other_directory elsewhere = {})
      : elsewhere_(std::move(elsewhere)), now_(make(std::move(how))) {}

  login_state_of_service now() const {
    std::lock_guard guard{mutex_};
    return now_;
  }
  /// Throws config_error, and changes nothing then.
  void reload(authenticator_settings how) {
    auto next = make(std::move(how));
    std::lock_guard guard{mutex_};
    now_ = std::move(next);
  }

 private:
  login_state_of_service make(authenticator_settings settings) const;

  const referral_targets::other_directory elsewhere_;
  mutable std::mutex mutex_;
  login_state_of_service now_;
};

}  // namespace understudy::internal
