// Carries out what actors/authenticator/ decides, by requests to a directory.
#include "understudy/runtime/authenticator.hpp"

#include "understudy/actors/authenticator/chasing_dialogue.hpp"
#include "understudy/actors/authenticator/entry_fetch.hpp"
#include "understudy/actors/authenticator/group_search.hpp"
#include "understudy/actors/authenticator/password_change.hpp"
#include "understudy/runtime/client/login_service.hpp"
#include "understudy/runtime/client/request_sequence.hpp"

namespace understudy {

using namespace internal;

namespace {

duration time_of(const login_options& options, const authenticator_settings& how) {
  return options.timeout == duration::zero() ? how.timeout : options.timeout;
}

/// Of reads and logins: equal requests are sent once.
sequence_limits limits_of(const login_options& options, const login_state_of_service& now) {
  return {time_of(options, *now.how), options.cancel, now.shared, now.targets};
}

/// Of changes: each is sent for itself.
sequence_limits limits_of_change(const login_options& options, const login_state_of_service& now) {
  return {time_of(options, *now.how), options.cancel, nullptr, now.targets};
}

template <class Result>
Result run(directory& through, dialogue<Result>& talk, const sequence_limits& limits) {
  if (!limits.targets) return run_sequence(through, talk, limits);
  chasing_dialogue<Result> chasing(talk, limits.targets->limits());
  return run_sequence<Result>(through, chasing, limits);
}

template <class Result, class Done>
void start(directory& through, std::unique_ptr<dialogue<Result>> talk, sequence_limits limits, Done done,
           executor where) {
  if (limits.targets) talk = std::make_unique<chasing_dialogue<Result>>(std::move(talk), limits.targets->limits());
  std::make_shared<request_sequence<Result>>(through, std::move(talk), std::move(limits), std::move(done),
                                             std::move(where))
      ->start();
}

template <class Dialogue, class Done, class... Ts>
void start_sequence(directory& through, sequence_limits limits, Done done, executor where, Ts&&... xs) {
  start<std::variant_alternative_t<1, typename Dialogue::step>>(through,
                                                                std::make_unique<Dialogue>(std::forward<Ts>(xs)...),
                                                                std::move(limits), std::move(done), std::move(where));
}

/// Tells a future; it runs nobody's code.
template <class Result>
std::pair<std::future<Result>, std::function<void(Result)>> future_of() {
  auto promise = std::make_shared<std::promise<Result>>();
  auto future = promise->get_future();
  return {std::move(future), [promise = std::move(promise)](Result all) { promise->set_value(std::move(all)); }};
}

}  // namespace

authenticator::authenticator(directory& through, authenticator_settings how, referral_directory elsewhere)
    : through_(&through), service_(std::make_shared<login_service>(std::move(how), std::move(elsewhere))) {}

void authenticator::forget(const std::string& user) { service_->now().forget(user); }
void authenticator::forget_all() { service_->now().forget_all(); }
void authenticator::reload(authenticator_settings how) { service_->reload(std::move(how)); }

login_result authenticator::authenticate(std::string user, secret password, const login_options& options) const {
  const auto now = service_->now();
  cached_login login(now.memory, now.how, std::move(user), std::move(password), options.attributes);
  return run<login_result>(*through_, login, limits_of(options, now));
}

lookup_result authenticator::lookup(std::string user, const login_options& options) const {
  const auto now = service_->now();
  user_search search(now.how, std::move(user), options.attributes);
  return run<lookup_result>(*through_, search, limits_of(options, now));
}

group_result authenticator::groups(std::string user, std::optional<group_strategy> by,
                                   const login_options& options) const {
  const auto now = service_->now();
  group_search search(now.how, std::move(user), by);
  return run<group_result>(*through_, search, limits_of(options, now));
}

fetch_result authenticator::fetch(std::string dn_or_filter, const login_options& options) const {
  const auto now = service_->now();
  entry_fetch fetch(now.how, std::move(dn_or_filter), options.attributes);
  return run<fetch_result>(*through_, fetch, limits_of(options, now));
}

password_change_result authenticator::change_password(std::string user, secret old_password, secret new_password,
                                                      password_method by, const login_options& options) const {
  const auto now = service_->now();
  password_change change(now.how, std::move(user), std::move(old_password), std::move(new_password), by);
  auto changed = run<password_change_result>(*through_, change, limits_of_change(options, now));
  service_->now().forget_after(changed);
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

std::future<fetch_result> authenticator::async_fetch(std::string dn_or_filter, const login_options& options) const {
  auto [future, done] = future_of<fetch_result>();
  async_fetch(std::move(dn_or_filter), std::move(done), options);
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
  const auto now = service_->now();
  // Before its deadline is set: it measures how long it has waited.
  auto login =
      std::make_unique<cached_login>(now.memory, now.how, std::move(user), std::move(password), options.attributes);
  start<login_result>(*through_, std::move(login), limits_of(options, now), std::move(done), std::move(where));
}

void authenticator::async_lookup(std::string user, std::function<void(lookup_result)> done,
                                 const login_options& options, executor where) const {
  const auto now = service_->now();
  start_sequence<user_search>(*through_, limits_of(options, now), std::move(done), std::move(where), now.how,
                              std::move(user), options.attributes);
}

void authenticator::async_groups(std::string user, std::function<void(group_result)> done,
                                 std::optional<group_strategy> by, const login_options& options, executor where) const {
  const auto now = service_->now();
  start_sequence<group_search>(*through_, limits_of(options, now), std::move(done), std::move(where), now.how,
                               std::move(user), by);
}

void authenticator::async_fetch(std::string dn_or_filter, std::function<void(fetch_result)> done,
                                const login_options& options, executor where) const {
  const auto now = service_->now();
  start_sequence<entry_fetch>(*through_, limits_of(options, now), std::move(done), std::move(where), now.how,
                              std::move(dn_or_filter), options.attributes);
}

void authenticator::async_change_password(std::string user, secret old_password, secret new_password,
                                          std::function<void(password_change_result)> done, password_method by,
                                          const login_options& options, executor where) const {
  const auto now = service_->now();
  // What counts when it is over: the settings may have been exchanged meanwhile.
  auto told = [service = service_, done = std::move(done)](password_change_result changed) {
    service->now().forget_after(changed);
    done(std::move(changed));
  };
  start_sequence<password_change>(*through_, limits_of_change(options, now), std::move(told), std::move(where), now.how,
                                  std::move(user), std::move(old_password), std::move(new_password), by);
}

}  // namespace understudy
