// What a directory's answers say of a user, a password or a change of one.
#pragma once
#include "understudy/messages/login.hpp"

#include <optional>

namespace understudy::internal {

/// The code behind "data" in the diagnostics of Active Directory ("… AcceptSecurityContext error, data 52e, v1db1");
/// nothing when there is none.
std::optional<unsigned> active_directory_code(std::string_view diagnostic) noexcept;

/// What came of a user's bind that the directory accepted, with what it said of the password.
login_outcome classify_accepted_bind(const password_policy& policy) noexcept;

/// Why a user's bind failed, into `into`: by the result code, Active Directory's diagnostic, and `policy`, which the
/// controls of the failure said. Failures that say nothing of the user are as describe_failure() has them.
void classify_refused_bind(const failure_ptr& why, const password_policy& policy, user_answer& into);

/// Why a change of a password failed, into `into`.
void classify_refused_change(const failure_ptr& why, const password_policy& policy, user_answer& into);

/// Into `into`: what a failure means that says nothing of a user. unavailable, or service_identity_rejected.
void describe_failure(const failure_ptr& why, user_answer& into);

/// That no server could be asked: none was there, or none answered although it was waited for as long as the
/// configuration says (`whole_timeout`). Not: a queue that is full, a server that is busy, a caller with less time, a
/// lack of this process's own; a directory that lives may think otherwise of the user then.
bool directory_is_away(const failure& why, bool whole_timeout) noexcept;

}  // namespace understudy::internal
