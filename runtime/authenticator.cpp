// Carries out what actors/authenticator/ decides, by requests to a directory.
#include "understudy/runtime/authenticator.hpp"

#include "understudy/actors/authenticator/cached_login.hpp"
#include "understudy/actors/authenticator/group_search.hpp"
#include "understudy/actors/authenticator/password_change.hpp"
#include "understudy/actors/connection/secret_fingerprint.hpp"
#include "understudy/config/authenticator_rules.hpp"
#include "understudy/config/problem.hpp"
#include "understudy/runtime/client/request_sequence.hpp"

namespace understudy {

using namespace internal;

namespace {

void require_usable(const authenticator_settings& how) {
  std::vector<config_problem> problems;
  for (auto& each : config::check_ready_for_logins(how))
    problems.push_back({"", "authenticator." + std::string{each.keys[0]}, std::move(each.what)});
  if (!problems.empty()) throw config_error(std::move(problems));
}

sequence_limits limits_of(const login_options& options, const authenticator_settings& how) {
  return {options.timeout == duration::zero() ? how.timeout : options.timeout, options.cancel};
}

template <class Dialogue, class Done, class... Ts>
void start_sequence(directory& through, sequence_limits limits, Done done, executor where, Ts&&... xs) {
  using result_of_all = std::variant_alternative_t<1, typename Dialogue::step>;
  std::make_shared<request_sequence<result_of_all>>(through, std::make_unique<Dialogue>(std::forward<Ts>(xs)...),
                                                    std::move(limits), std::move(done), std::move(where))
      ->start();
}

/// What was remembered of the former password must not count any longer. The user may have logged in under several
/// names, so everybody is asked about again. Without an answer the change may have happened.
void forget_after(verification_cache& cache, const password_change_result& changed) {
  if (changed || changed.outcome == login_outcome::unavailable) cache.forget_all();
}

/// Tells a future; it runs nobody's code.
template <class Result>
std::pair<std::future<Result>, std::function<void(Result)>> future_of() {
  auto promise = std::make_shared<std::promise<Result>>();
  auto future = promise->get_future();
  return {std::move(future), [promise = std::move(promise)](Result all) { promise->set_value(std::move(all)); }};
}

}  // namespace

authenticator::authenticator(directory& through, authenticator_settings how) : through_(&through) {
  require_usable(how);
  cache_ = std::make_shared<verification_cache>(cache_limits{how.cache_ttl, how.cache_grace},
                                                password_hashing{&password_hash, &random_salt});
  how_ = std::make_shared<const authenticator_settings>(std::move(how));
}

void authenticator::forget(const std::string& user) { cache_->forget(user); }
void authenticator::forget_all() { cache_->forget_all(); }

login_result authenticator::authenticate(std::string user, secret password, const login_options& options) const {
  cached_login login(cache_, how_, std::move(user), std::move(password), options.attributes);
  return run_sequence(*through_, login, limits_of(options, *how_));
}

lookup_result authenticator::lookup(std::string user, const login_options& options) const {
  user_search search(how_, std::move(user), options.attributes);
  return run_sequence(*through_, search, limits_of(options, *how_));
}

group_result authenticator::groups(std::string user, std::optional<group_strategy> by,
                                   const login_options& options) const {
  group_search search(how_, std::move(user), by);
  return run_sequence(*through_, search, limits_of(options, *how_));
}

password_change_result authenticator::change_password(std::string user, secret old_password, secret new_password,
                                                      password_method by, const login_options& options) const {
  password_change change(how_, std::move(user), std::move(old_password), std::move(new_password), by);
  auto changed = run_sequence(*through_, change, limits_of(options, *how_));
  forget_after(*cache_, changed);
  return changed;
}

std::future<login_result> authenticator::async_authenticate(std::string user, secret password,
                                                            const login_options& options) const {
  auto [future, done] = future_of<login_result>();
  async_authenticate(std::move(user), std::move(password), std::move(done), options);
  return std::move(future);
}

std::future<lookup_result> authenticator::async_lookup(std::string user, const login_options& options) const {
  auto [future, done] = future_of<lookup_result>();
  async_lookup(std::move(user), std::move(done), options);
  return std::move(future);
}

std::future<group_result> authenticator::async_groups(std::string user, std::optional<group_strategy> by,
                                                      const login_options& options) const {
  auto [future, done] = future_of<group_result>();
  async_groups(std::move(user), std::move(done), by, options);
  return std::move(future);
}

std::future<password_change_result> authenticator::async_change_password(std::string user, secret old_password,
                                                                         secret new_password, password_method by,
                                                                         const login_options& options) const {
  auto [future, done] = future_of<password_change_result>();
  async_change_password(std::move(user), std::move(old_password), std::move(new_password), std::move(done), by,
                        options);
  return std::move(future);
}

void authenticator::async_authenticate(std::string user, secret password, std::function<void(login_result)> done,
                                       const login_options& options, executor where) const {
  start_sequence<cached_login>(*through_, limits_of(options, *how_), std::move(done), std::move(where), cache_, how_,
                               std::move(user), std::move(password), options.attributes);
}

void authenticator::async_lookup(std::string user, std::function<void(lookup_result)> done,
                                 const login_options& options, executor where) const {
  start_sequence<user_search>(*through_, limits_of(options, *how_), std::move(done), std::move(where), how_,
                              std::move(user), options.attributes);
}

void authenticator::async_groups(std::string user, std::function<void(group_result)> done,
                                 std::optional<group_strategy> by, const login_options& options, executor where) const {
  start_sequence<group_search>(*through_, limits_of(options, *how_), std::move(done), std::move(where), how_,
                               std::move(user), by);
}

void authenticator::async_change_password(std::string user, secret old_password, secret new_password,
                                          std::function<void(password_change_result)> done, password_method by,
                                          const login_options& options, executor where) const {
  auto told = [cache = cache_, done = std::move(done)](password_change_result changed) {
    forget_after(*cache, changed);
    done(std::move(changed));
  };
  start_sequence<password_change>(*through_, limits_of(options, *how_), std::move(told), std::move(where), how_,
                                  std::move(user), std::move(old_password), std::move(new_password), by);
}

}  // namespace understudy
