// Keeps logins: see verification_cache.hpp.
#include "understudy/actors/authenticator/verification_cache.hpp"

namespace understudy::internal {

verification_cache::verification_cache(cache_limits limits, password_hashing hashing)
    : limits_(limits), hashing_(std::move(hashing)) {}

verification_cache::attempt verification_cache::begin(const std::string& user, const secret& password) const {
  attempt login;
  login.user = user;
  {
    std::lock_guard guard{mutex_};
    login.generation = generation_;
    if (const auto at = by_user_.find(user); at != by_user_.end()) login.salt = at->second->salt;
  }
  if (user.empty() || password.size() == 0) return login;
  if (login.salt.empty()) login.salt = hashing_.salt();
  if (!login.salt.empty()) login.hash = hashing_.hash(login.salt, password);
  return login;
}

const verification_cache::kept_login* verification_cache::find(const attempt& login, time_point now,
                                                               duration age) const {
  if (login.hash.empty()) return nullptr;
  const auto at = by_user_.find(login.user);
  if (at == by_user_.end() || now - at->second->since >= age) return nullptr;
  const auto& kept = *at->second;
  return kept.salt == login.salt && kept.hash == login.hash ? &kept : nullptr;
}

std::optional<login_result> verification_cache::known(const attempt& login, time_point now) const {
  std::lock_guard guard{mutex_};
  const auto* kept = find(login, now, limits_.ttl);
  if (kept == nullptr) return std::nullopt;
  auto answer = kept->answer;
  answer.cached = true;
  return answer;
}

login_result verification_cache::settle(const attempt& login, login_result answer, time_point now) {
  std::lock_guard guard{mutex_};
  if (answer.outcome == login_outcome::unavailable || answer.outcome == login_outcome::service_identity_rejected) {
    const auto* kept = answer.retryable ? find(login, now, limits_.grace) : nullptr;
    if (kept == nullptr) return answer;
    auto earlier = kept->answer;
    earlier.cached = true;
    earlier.failed = std::move(answer.failed);
    earlier.detail = "as it was before; the directory cannot be asked: " + answer.detail;
    return earlier;
  }
  if (answer.outcome == login_outcome::ok && !answer.password.grace_logins)
    keep(login, answer, now);
  else if (answer.outcome != login_outcome::bad_credentials || find(login, now, longest_wait) != nullptr)
    erase(login.user);
  return answer;
}

void verification_cache::keep(const attempt& login, const login_result& answer, time_point now) {
  erase(login.user);
  if (login.hash.empty() || login.generation != generation_ || limits_.most == 0) return;
  if (entries_.size() >= limits_.most) erase(std::string{entries_.front().user});
  entries_.push_back({login.user, login.salt, login.hash, now, answer});
  by_user_[login.user] = std::prev(entries_.end());
}

void verification_cache::erase(const std::string& user) {
  const auto at = by_user_.find(user);
  if (at == by_user_.end()) return;
  entries_.erase(at->second);
  by_user_.erase(at);
}

void verification_cache::forget(const std::string& user) {
  std::lock_guard guard{mutex_};
  ++generation_;
  erase(std::string{user});
}

void verification_cache::forget_all() {
  std::lock_guard guard{mutex_};
  ++generation_;
  by_user_.clear();
  entries_.clear();
}

std::size_t verification_cache::size() const {
  std::lock_guard guard{mutex_};
  return entries_.size();
}

}  // namespace understudy::internal
