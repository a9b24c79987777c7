// What must hold between the settings of logins.
#pragma once
#include "understudy/config/rules.hpp"

namespace understudy::internal::config {

/// The combinations within `[authenticator]`, as they stand in a file: without a place for users there are no logins,
/// which is no mistake by itself.
std::vector<finding> check_authenticator(const authenticator_settings& logins);

/// All that has to hold before somebody can log in: ranges, combinations, and a place for users.
std::vector<finding> check_ready_for_logins(const authenticator_settings& logins);

}  // namespace understudy::internal::config
