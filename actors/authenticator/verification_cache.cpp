// Keeps logins: see verification_cache.hpp.
#include "understudy/actors/authenticator/verification_cache.hpp"

#include "understudy/actors/authenticator/login_name.hpp"
#include "understudy/actors/authenticator/login_verdict.hpp"
#include "understudy/messages/dn_match.hpp"

namespace understudy::internal {

verification_cache::verification_cache(cache_limits limits, password_hashing hashing)
    : limits_(limits), hashing_(std::move(hashing)) {}

const verification_cache::kept_login* verification_cache::find(const table& kept, const attempt& login, time_point now,
                                                               duration age) {
  if (login.hash.empty()) return nullptr;
  const auto* found = kept.find(login.user);
  if (found == nullptr || now - found->since >= age) return nullptr;
  return found->salt == login.salt && found->hash == login.hash ? found : nullptr;
}

void verification_cache::keep(table& in, const attempt& login, const login_result& answer, time_point now) const {
  in.erase(login.user);
  if (!login.hash.empty())
    in.keep({login.user, comparable_dn(answer.dn), login.salt, login.hash, now, answer}, limits_.most);
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
  if (password.size() == 0 || !parse_login_name(user)) return login;
  if (login.salt.empty()) login.salt = hashing_.salt();
  if (!login.salt.empty()) login.hash = hashing_.hash(login.salt, password);
  return login;
}

std::optional<login_result> verification_cache::known(const attempt& login, time_point now) const {
  std::lock_guard guard{mutex_};
  const auto* kept = find(accepted_, login, now, limits_.ttl);
  if (kept == nullptr) kept = find(refused_, login, now, limits_.failure_ttl);
  if (kept == nullptr) return std::nullopt;
  auto answer = kept->answer;
  answer.cached = true;
  return answer;
}

login_result verification_cache::settle(const attempt& login, login_result answer, time_point now, bool whole_timeout) {
  std::lock_guard guard{mutex_};
  if (answer.outcome == login_outcome::unavailable || answer.outcome == login_outcome::service_identity_rejected) {
    const bool away = answer.outcome == login_outcome::unavailable && answer.failed &&
                      directory_is_away(*answer.failed, whole_timeout);
    const auto* kept = away ? find(accepted_, login, now, limits_.grace) : nullptr;
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
  if (answer.outcome != login_outcome::bad_credentials || find(accepted_, login, now, longest_wait) != nullptr)
    accepted_.erase(login.user);
  if (find(refused_, login, now, longest_wait) != nullptr) refused_.erase(login.user);
  if (login.generation != generation_) return;
  if (keeps && answer.outcome == login_outcome::ok && !answer.password.grace_logins)
    keep(accepted_, login, answer, now);
  if (wrong && limits_.failure_ttl > duration::zero()) keep(refused_, login, answer, now);
}

void verification_cache::forget(const std::string& user, const std::set<std::string>& dns) {
  std::lock_guard guard{mutex_};
  ++generation_;
  accepted_.erase(user, dns);
  refused_.erase(user, dns);
}

std::set<std::string> verification_cache::comparable_dns_of(const std::string& user) const {
  std::set<std::string> dns;
  std::lock_guard guard{mutex_};
  for (const auto* from : {&accepted_, &refused_}) {
    const auto* kept = from->find(user);
    if (kept != nullptr && !kept->comparable.empty()) dns.insert(kept->comparable);
  }
  return dns;
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
