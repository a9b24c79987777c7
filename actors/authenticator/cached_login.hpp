// A login that the cache may answer, and that the cache learns from.
#pragma once
#include "understudy/actors/authenticator/login_state.hpp"
#include "understudy/actors/authenticator/verification_cache.hpp"

namespace understudy::internal {

/// One that asks for attributes of the user's entry always goes to the directory.
class cached_login final : public dialogue<login_result> {
 public:
  using clock = std::function<time_point()>;

  cached_login(std::shared_ptr<verification_cache> cache, authenticator_settings_ptr how, std::string user,
               secret password, std::vector<std::string> attributes, clock now = &std::chrono::steady_clock::now);

  step begin() override;
  step answered(const reply_to_request& reply) override;

 private:
  step settled(step next);

  std::shared_ptr<verification_cache> cache_;  ///< null: this one has nothing to do with it
  std::string user_;
  secret password_;
  clock now_;
  login_state login_;
  verification_cache::attempt attempt_;
};

}  // namespace understudy::internal
