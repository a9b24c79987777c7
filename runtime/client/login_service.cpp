// Makes what an authenticator has: see login_service.hpp.
#include "understudy/runtime/client/login_service.hpp"

#include "understudy/actors/connection/secret_fingerprint.hpp"
#include "understudy/config/authenticator_rules.hpp"
#include "understudy/config/problem.hpp"

namespace understudy::internal {
namespace {

void require_usable(const authenticator_settings& how) {
  std::vector<config_problem> problems;
  for (auto& each : config::check_ready_for_logins(how))
    problems.push_back({"", "authenticator." + std::string{each.keys[0]}, std::move(each.what)});
  if (!problems.empty()) throw config_error(std::move(problems));
}

}  // namespace

// What is under way comes first: a login that begins in between joins nothing old, and is not remembered.
void login_state_of_service::forget(const std::string& user) const {
  shared->forget();
  memory->forget(user);
}

void login_state_of_service::forget_all() const {
  shared->forget();
  memory->forget_all();
}

void login_state_of_service::forget_after(const password_change_result& changed) const {
  if (changed || changed.outcome == login_outcome::unavailable) forget_all();
}

login_state_of_service login_service::make(authenticator_settings settings) const {
  require_usable(settings);
  cache_limits limits;
  limits.ttl = settings.cache_ttl;
  limits.failure_ttl = settings.cache_failure_ttl;
  limits.grace = settings.cache_grace;
  const auto dn_ttl = settings.cache_dn_ttl;
  login_state_of_service made;
  made.how = std::make_shared<const authenticator_settings>(std::move(settings));
  made.memory = std::make_shared<login_memory>(limits, password_hashing{&password_hash, &random_salt}, dn_ttl);
  made.shared = std::make_shared<shared_requests>();
  if (made.how->referrals == referral_policy::chase)
    made.targets = std::make_shared<const referral_targets>(made.how, elsewhere_);
  return made;
}

}  // namespace understudy::internal
