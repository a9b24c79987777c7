// Logins that were right a moment ago, known again without the password.
#pragma once
#include "understudy/actors/authenticator/oldest_first_table.hpp"
#include "understudy/messages/login.hpp"

#include <functional>
#include <mutex>

namespace understudy::internal {

/// How the cache makes what it keeps in place of passwords. Both may give nothing: then nothing is kept.
struct password_hashing {
  std::function<std::string(const std::string& salt, const secret& password)> hash;
  std::function<std::string()> salt;
};

/// How long it keeps what.
struct cache_limits {
  duration ttl{};            ///< answers in place of the directory; zero: never
  duration grace{};          ///< answers while the directory cannot be asked; zero: never
  std::size_t most = 10000;  ///< logins, and as many refusals; the oldest is forgotten for a new one
  duration failure_ttl{};    ///< refusals of that name and password answer in place of the directory; zero: never
};

/// One entry for each user's name, as it was typed: of the last login that was ok. It is taken out when the directory
/// refuses that password, or the account; not by other passwords, or anybody could take it out. Logins with a password
/// that has expired (grace logins) are not kept, since the directory counts them. And one of the last refusal of a
/// password (bad_credentials, no_such_user), until a login with that password is ok. Thread-safe.
class verification_cache {
 public:
  verification_cache(cache_limits limits, password_hashing hashing);

  /// False: it never answers, and nothing needs to be asked of it.
  bool enabled() const noexcept {
    return limits_.ttl > duration::zero() || limits_.grace > duration::zero() || limits_.failure_ttl > duration::zero();
  }

  /// A login that is about to begin.
  struct attempt {
    std::string user;
    std::string salt, hash;        ///< empty: no login that could be right; it is not looked at, and not kept
    std::uint64_t generation = 0;  ///< of the cache when it began
  };
  /// Hashes the password, which takes its time.
  attempt begin(const std::string& user, const secret& password) const;

  /// What answers it without the directory, or nothing.
  std::optional<login_result> known(const attempt& login, time_point now) const;
  /// What the login comes to, when the directory said `answer` at `now`: that, but for one that could not be had.
  /// `whole_timeout`: it was waited for as long as the configuration says.
  login_result settle(const attempt& login, login_result answer, time_point now, bool whole_timeout = false);

  ///@{
  /// The directory is asked again about that user, or about everybody, also where an answer is on its way. `dns`, as
  /// comparable_dn() has them: the same under other names.
  void forget(const std::string& user, const std::set<std::string>& dns = {});
  void forget_all();
  ///@}
  /// The DNs of what is kept for that name, however long ago, as comparable_dn() has them.
  std::set<std::string> comparable_dns_of(const std::string& user) const;
  /// Logins and refusals that are kept.
  std::size_t size() const;

 private:
  struct kept_login {
    std::string user, comparable, salt, hash;
    time_point since{};
    login_result answer;
  };
  using table = oldest_first_table<kept_login>;

  /// That of this name and password, younger than `age`, or null.
  static const kept_login* find(const table& kept, const attempt& login, time_point now, duration age);
  void keep(table& in, const attempt& login, const login_result& answer, time_point now) const;
  void note(const attempt& login, const login_result& answer, time_point now);

  const cache_limits limits_;
  const password_hashing hashing_;
  mutable std::mutex mutex_;
  table accepted_, refused_;
  std::uint64_t generation_ = 0;
};

}  // namespace understudy::internal
