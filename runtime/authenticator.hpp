// Logging users in, looking them up, finding their groups: what services do with a directory, in one call each.
#pragma once
#include "understudy/config/settings.hpp"
#include "understudy/messages/login.hpp"
#include "understudy/messages/role_map.hpp"
#include "understudy/runtime/directory.hpp"

namespace understudy::internal {
class login_service;
}  // namespace understudy::internal

namespace understudy {

/// How one call of an authenticator is to be treated.
struct login_options {
  /// Covers all of its requests: queueing, connecting, retries. Zero: `authenticator.timeout`.
  duration timeout{};
  /// Ends the call when its cancel() is called, after the request that is under way at the latest.
  cancel_source* cancel = nullptr;
  /// Attributes of the user's entry that are to be read. A login reads none of itself, and only where the user is
  /// searched for; a look-up reads all that are no operational ones.
  std::vector<std::string> attributes{};
};

/// Who takes requests to a server that a referral names and that is none of `authenticator_settings::referral_servers`,
/// with an identity, TLS and limits of its own: any directory of the program's, a connection_manager for that server
/// for one. Null, or an exception: nobody; that referral is told and not followed. `server`: "host:port", as the
/// referral has it, the port of the scheme where it has none. Called on any thread, several times a call; must not
/// wait. What it returns has to live as long as the authenticator and the calls that were begun.
using referral_directory = std::function<directory*(const std::string& server)>;

/// Users of a directory: each call is a few requests, decided by the settings of `[authenticator]`. Nothing here
/// throws for what a directory says, or for one that cannot be reached: that is in the results, one for each call,
/// always. Passwords are checked on connections that carry nothing else, as any user's bind. They are kept nowhere;
/// with `cache_ttl`, `cache_grace` or `cache_failure_ttl` a hash of them is, and each login takes some milliseconds of
/// the calling thread for it. Equal requests of several calls at one moment are sent once: a hundred logins of one user
/// need one search, and a bind for each password. Works with everything that takes requests, a client of nodes too.
/// Copies share all of it. Thread-safe.
///
/// What each result says in `detail` is for the log; what may be told to whoever tries to log in is
/// public_message().
class authenticator {
 public:
  /// Requests go to `through`, which has to live as long as this and the calls that were begun. Throws config_error
  /// with every problem when the settings cannot work; `base` or `dn_templates` is required. `elsewhere` counts with
  /// `referrals = "chase"`: without it referrals are followed to servers of `through` alone.
  authenticator(directory& through, authenticator_settings how, referral_directory elsewhere = {});

  /// Whether that is the user's password. `user`: the name, as it was typed. Logins that ask for attributes are not
  /// answered from the cache.
  login_result authenticate(std::string user, secret password, const login_options& options = {}) const;
  /// The user's entry, without a password: whether there is one, its DN, its attributes.
  lookup_result lookup(std::string user, const login_options& options = {}) const;
  /// The groups of a user, by the way of the settings, or by `by`.
  group_result groups(std::string user, std::optional<group_strategy> by = {}, const login_options& options = {}) const;
  /// Entries, by what is known of them: a DN, Active Directory's "<SID=…>" or "<GUID=…>", or a filter in parentheses,
  /// below `base`, of 10 000 entries at most. Build a filter with messages/filter.hpp. Values that the directory gives
  /// in ranges are read to their end, within a bound that `complete` tells of.
  fetch_result fetch(std::string dn_or_filter, const login_options& options = {}) const;
  /// Changes a password, as the service. `old_password` is checked by the directory; not set, it is a reset by the
  /// service, whose rights decide. `new_password` not set: the directory makes one, by `extended` alone.
  password_change_result change_password(std::string user, secret old_password, secret new_password,
                                         password_method by = password_method::extended,
                                         const login_options& options = {}) const;

  ///@{
  /// The directory is asked about that user, or about everybody, at the next login, whatever the cache has.
  void forget(const std::string& user);
  void forget_all();
  ///@}
  /// Other settings for calls from now on; those that have begun end with theirs. What was remembered is forgotten.
  /// Throws config_error, and keeps the settings that it has, when these cannot work.
  void reload(authenticator_settings how);

  ///@{
  /// Returns at once; the future gets the result, exactly one.
  std::future<login_result> async_authenticate(std::string user, secret password,
                                               const login_options& options = {}) const;
  std::future<lookup_result> async_lookup(std::string user, const login_options& options = {}) const;
  std::future<group_result> async_groups(std::string user, std::optional<group_strategy> by = {},
                                         const login_options& options = {}) const;
  std::future<fetch_result> async_fetch(std::string dn_or_filter, const login_options& options = {}) const;
  std::future<password_change_result> async_change_password(std::string user, secret old_password, secret new_password,
                                                            password_method by = password_method::extended,
                                                            const login_options& options = {}) const;
  ///@}

  ///@{
  /// Returns at once; `done` is told exactly once, and where: as directory::start() has it. Throws what that throws
  /// (`queue_full`), and then `done` is not told.
  void async_authenticate(std::string user, secret password, std::function<void(login_result)> done,
                          const login_options& options = {}, executor where = {}) const;
  void async_lookup(std::string user, std::function<void(lookup_result)> done, const login_options& options = {},
                    executor where = {}) const;
  void async_groups(std::string user, std::function<void(group_result)> done, std::optional<group_strategy> by = {},
                    const login_options& options = {}, executor where = {}) const;
  void async_fetch(std::string dn_or_filter, std::function<void(fetch_result)> done, const login_options& options = {},
                   executor where = {}) const;
  void async_change_password(std::string user, secret old_password, secret new_password,
                             std::function<void(password_change_result)> done,
                             password_method by = password_method::extended, const login_options& options = {},
                             executor where = {}) const;
  ///@}

 private:
  directory* through_;
  std::shared_ptr<internal::login_service> service_;
};

}  // namespace understudy
