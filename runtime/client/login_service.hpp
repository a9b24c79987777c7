// What an authenticator has: its settings, and what logins leave behind.
#pragma once
#include "understudy/actors/authenticator/cached_login.hpp"
#include "understudy/actors/authenticator/shared_requests.hpp"

namespace understudy::internal {

/// All that calls with the same settings have in common.
struct login_state_of_service {
  authenticator_settings_ptr how;
  std::shared_ptr<login_memory> memory;
  std::shared_ptr<shared_requests> shared;
};

/// Exchanges all of that at once. Thread-safe.
class login_service {
 public:
  /// Throws config_error with every problem.
  explicit login_service(authenticator_settings how) : now_(make(std::move(how))) {}

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
  static login_state_of_service make(authenticator_settings how);

  mutable std::mutex mutex_;
  login_state_of_service now_;
};

}  // namespace understudy::internal
