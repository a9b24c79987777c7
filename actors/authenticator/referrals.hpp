// Referrals to other directories in answers about users: counted, and told where that is wanted.
#pragma once
#include "understudy/actors/authenticator/dialogue.hpp"
#include "understudy/config/settings.hpp"
#include "understudy/messages/login.hpp"

namespace understudy::internal {

/// URIs that an answer tells at most.
inline constexpr std::size_t most_referrals = 100;

/// Adds what `reply` has in place of entries (RFC 4511, 4.1.10) or beside them (4.5.3).
void note_referrals(const reply_to_request& reply, referral_policy policy, user_answer& into);
/// Adds what was met before.
void add_referrals(const user_answer& before, user_answer& into);

}  // namespace understudy::internal
