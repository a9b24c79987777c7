// Asks the cache before the directory, and tells it what the directory said.
#include "understudy/actors/authenticator/cached_login.hpp"

namespace understudy::internal {

cached_login::cached_login(std::shared_ptr<verification_cache> cache, authenticator_settings_ptr how, std::string user,
                           secret password, std::vector<std::string> attributes, clock now)
    : cache_(cache && cache->enabled() && attributes.empty() ? std::move(cache) : nullptr),
      user_(user),
      password_(password),
      now_(std::move(now)),
      login_(std::move(how), std::move(user), std::move(password), std::move(attributes)) {}

cached_login::step cached_login::begin() {
  if (cache_) {
    attempt_ = cache_->begin(user_, password_);
    if (auto known = cache_->known(attempt_, now_())) return std::move(*known);
  }
  return settled(login_.begin());
}

cached_login::step cached_login::answered(const reply_to_request& reply) { return settled(login_.answered(reply)); }

cached_login::step cached_login::settled(step next) {
  auto* answer = std::get_if<login_result>(&next);
  if (!cache_ || answer == nullptr) return next;
  return cache_->settle(attempt_, std::move(*answer), now_());
}

}  // namespace understudy::internal
