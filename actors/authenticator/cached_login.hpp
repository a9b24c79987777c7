// A login that the caches may answer, or shorten, and that they learn from.
#pragma once
#include "understudy/actors/authenticator/login_state.hpp"
#include "understudy/actors/authenticator/user_dn_cache.hpp"
#include "understudy/actors/authenticator/verification_cache.hpp"

namespace understudy::internal {

/// What logins leave behind for later ones.
struct login_memory {
  login_memory(cache_limits limits, password_hashing hashing, duration dn_ttl)
      : verifications(limits, std::move(hashing)), dns(dn_ttl) {}
  ///@{
  /// The directory is asked again about that user, under whatever names the same entry was found, or about everybody.
  void forget(const std::string& user);
  void forget_all() {
    verifications.forget_all();
    dns.forget_all();
  }
  ///@}

  verification_cache verifications;
  user_dn_cache dns;
};

/// One that asks for attributes of the user's entry always goes to the directory, with a search.
class cached_login final : public dialogue<login_result> {
 public:
  using clock = std::function<time_point()>;

  cached_login(std::shared_ptr<login_memory> memory, authenticator_settings_ptr how, std::string user, secret password,
               std::vector<std::string> attributes, clock now = &std::chrono::steady_clock::now);

  step begin() override;
  step answered(const reply_to_request& reply) override;

 private:
  step settled(step next);

  std::shared_ptr<login_memory> memory_;
  const bool verifications_;  ///< they have to do with it
  const duration timeout_;    ///< as configured
  std::string user_;
  secret password_;
  clock now_;
  const time_point began_;
  user_dn_cache::known known_;
  login_state login_;
  verification_cache::attempt attempt_;
};

}  // namespace understudy::internal
