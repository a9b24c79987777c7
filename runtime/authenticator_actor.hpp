// Logins, look-ups and groups as messages: what authenticator.hpp is for threads, for actors of one's own.
#pragma once
#include "understudy/config/settings.hpp"
#include "understudy/messages/actors.hpp"
#include "understudy/messages/login.hpp"

namespace understudy {

class runtime;

/// Whom a message to an authenticator is about.
struct user_query {
  /// The name, as it was typed; of `fetch` a DN or a filter.
  std::string user;
  /// As login_options::attributes.
  std::vector<std::string> attributes{};
  /// Covers all of its requests. Zero: `authenticator.timeout`.
  duration timeout{};
  /// Set by who gives up: nothing more is sent then. What is under way ends when a `cancel` message with it is sent to
  /// the router (messages/actors.hpp), or by itself. May be null.
  cancel_token_ptr token{};
};

/// What each call of an authenticator is as a message, with the same outcomes: what a directory says, or that it
/// cannot be reached, is in the result; an error is the answer to what never began (the actor has ended).
using authenticator_actor = caf::typed_actor<
    caf::replies_to<authenticate_atom, user_query, secret>::with<login_result>,
    caf::replies_to<lookup_atom, user_query>::with<lookup_result>,
    caf::replies_to<groups_atom, user_query>::with<group_result>,
    // By that way in place of the settings'.
    caf::replies_to<groups_atom, user_query, group_strategy>::with<group_result>,
    caf::replies_to<fetch_atom, user_query>::with<fetch_result>,
    // The old password, not set: a reset. The new one, not set: the directory makes one.
    caf::replies_to<change_password_atom, user_query, secret, secret, password_method>::with<password_change_result>,
    // What is remembered of that user, or of everybody, is forgotten.
    caf::reacts_to<forget_atom, std::string>, caf::reacts_to<forget_atom>,
    // Other settings from now on; an error (`invalid_request`) when they cannot work, and they stay as they are.
    caf::replies_to<reload_atom, authenticator_settings>::with<bool>>;

/// Starts one in the actor system of `directory`, whose router it sends its requests to. It ends when nobody has its
/// handle any more, and is to end before that runtime. Throws config_error with every problem when the settings cannot
/// work. A login takes some milliseconds of a thread of CAF's scheduler when a cache of verifications is on.
authenticator_actor spawn_authenticator(const runtime& directory, authenticator_settings how);

}  // namespace understudy

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::user_query)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::login_result)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::lookup_result)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::group_result)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::group_strategy)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::fetch_result)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::password_method)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::password_change_result)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::authenticator_settings)
