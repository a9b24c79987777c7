// Keeps logins: see verification_cache.hpp.
#include "understudy/actors/authenticator/verification_cache.hpp"

namespace understudy::internal {

verification_cache::verification_cache(cache_limits limits, password_hashing hashing)
    : limits_(limits), hashing_(std::move(hashing)) {}

const verification_cache::kept_login* verification_cache::table::find(const std::string& user) const {
  const auto at = by_user_.find(user);
  return at == by_user_.end() ? nullptr : &*at->second;
}

const verification_cache::kept_login* verification_cache::table::find(const attempt& login, time_point now,
                                                                      duration age) const {
  if (login.hash.empty()) return nullptr;
  const auto* kept = find(login.user);
  if (kept == nullptr || now - kept->since >= age) return nullptr;
  return kept->salt == login.salt && kept->hash == login.hash ? kept : nullptr;
}

void verification_cache::table::keep(const attempt& login, const login_result& answer, time_point now,
                                     std::size_t most) {
  erase(login.user);
  if (login.hash.empty() || most == 0) return;
  if (entries_.size() >= most) erase(std::string{entries_.front().user});
  entries_.push_back({login.user, login.salt, login.hash, now, answer});
  by_user_[login.user] = std::prev(entries_.end());
}

void verification_cache::table::erase(const std::string& user) {
  const auto at = by_user_.find(user);
  if (at == by_user_.end()) return;
  entries_.erase(at->second);
  by_user_.erase(at);
}

void verification_cache::table::clear() {
  by_user_.clear();
  entries_.clear();
}

verification_cache::attempt verification_cache::begin(const std::string& user, const secret& password) const {
  attempt login;
  login.user = user;
  {
    std::lock_guard guard{mutex_};
    login.generation = generation_;
    const auto* kept = accepted_.find(user);
    if (kept == nullptr) kept = refused_.find(user);
    if (kept != nullptr) login.salt = kept->salt;
  }
  if (user.empty() || password.size() == 0) return login;
  if (login.salt.empty()) login.salt = hashing_.salt();
  if (!login.salt.empty()) login.hash = hashing_.hash(login.salt, password);
  return login;
}

std::optional<login_result> verification_cache::known(const attempt& login, time_point now) const {
  std::lock_guard guard{mutex_};
  const auto* kept = accepted_.find(login, now, limits_.ttl);
  if (kept == nullptr) kept = refused_.find(login, now, limits_.failure_ttl);
  if (kept == nullptr) return std::nullopt;
  auto answer = kept->answer;
  answer.cached = true;
  return answer;
}

login_result verification_cache::settle(const attempt& login, login_result answer, time_point now) {
  std::lock_guard guard{mutex_};
  if (answer.outcome == login_outcome::unavailable || answer.outcome == login_outcome::service_identity_rejected) {
    const auto* kept = answer.retryable ? accepted_.find(login, now, limits_.grace) : nullptr;
    if (kept == nullptr) return answer;
    auto earlier = kept->answer;
    earlier.cached = true;
    earlier.failed = std::move(answer.failed);
    earlier.detail = "as it was before; the directory cannot be asked: " + answer.detail;
    return earlier;
  }
  note(login, answer, now);
  return answer;
}

void verification_cache::note(const attempt& login, const login_result& answer, time_point now) {
  const bool keeps = limits_.ttl > duration::zero() || limits_.grace > duration::zero();
  const bool wrong = answer.outcome == login_outcome::bad_credentials || answer.outcome == login_outcome::no_such_user;
  if (answer.outcome != login_outcome::bad_credentials || accepted_.find(login, now, longest_wait) != nullptr)
    accepted_.erase(login.user);
  if (refused_.find(login, now, longest_wait) != nullptr) refused_.erase(login.user);
  if (login.generation != generation_) return;
  if (keeps && answer.outcome == login_outcome::ok && !answer.password.grace_logins)
    accepted_.keep(login, answer, now, limits_.most);
  if (wrong && limits_.failure_ttl > duration::zero()) refused_.keep(login, answer, now, limits_.most);
}

void verification_cache::forget(const std::string& user) {
  std::lock_guard guard{mutex_};
  ++generation_;
  accepted_.erase(std::string{user});
  refused_.erase(std::string{user});
}

void verification_cache::forget_all() {
  std::lock_guard guard{mutex_};
  ++generation_;
  accepted_.clear();
  refused_.clear();
}

std::size_t verification_cache::size() const {
  std::lock_guard guard{mutex_};
  return accepted_.size() + refused_.size();
}

}  // namespace understudy::internal
