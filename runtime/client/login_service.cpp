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

login_state_of_service login_service::make(authenticator_settings how) {
  require_usable(how);
  cache_limits limits;
  limits.ttl = how.cache_ttl;
  limits.failure_ttl = how.cache_failure_ttl;
  limits.grace = how.cache_grace;
  const auto dn_ttl = how.cache_dn_ttl;
  return {std::make_shared<const authenticator_settings>(std::move(how)),
          std::make_shared<login_memory>(limits, password_hashing{&password_hash, &random_salt}, dn_ttl),
          std::make_shared<shared_requests>()};
}

}  // namespace understudy::internal
