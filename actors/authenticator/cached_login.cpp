// Asks the caches before the directory, and tells them what the directory said.
#include "understudy/actors/authenticator/cached_login.hpp"

namespace understudy::internal {

void login_memory::forget(const std::string& user) {
  auto same = verifications.comparable_dns_of(user);
  if (auto found = dns.comparable_dn_of(user); !found.empty()) same.insert(std::move(found));
  verifications.forget(user, same);
  dns.forget(user, same);
}

cached_login::cached_login(std::shared_ptr<login_memory> memory, authenticator_settings_ptr how, std::string user,
                           secret password, std::vector<std::string> attributes, clock now)
    : memory_(std::move(memory)),
      verifications_(memory_->verifications.enabled() && attributes.empty()),
      timeout_(how->timeout),
      user_(std::move(user)),
      password_(std::move(password)),
      now_(std::move(now)),
      began_(now_()),
      known_(memory_->dns.find(user_, began_)),
      login_(std::move(how), user_, password_, attributes, attributes.empty() ? known_.dn : std::nullopt) {}

cached_login::step cached_login::begin() {
  if (verifications_) {
    attempt_ = memory_->verifications.begin(user_, password_);
    if (auto known = memory_->verifications.known(attempt_, now_())) return std::move(*known);
  }
  return settled(login_.begin());
}

cached_login::step cached_login::answered(const reply_to_request& reply) { return settled(login_.answered(reply)); }

cached_login::step cached_login::settled(step next) {
  auto* answer = std::get_if<login_result>(&next);
  if (answer == nullptr) return next;
  if (const auto& found = login_.found_dn()) memory_->dns.note(user_, *found, known_.generation, now_());
  if (!verifications_) return next;
  const auto now = now_();
  return memory_->verifications.settle(attempt_, std::move(*answer), now, now - began_ >= timeout_);
}

}  // namespace understudy::internal
