// Keeps DNs: see user_dn_cache.hpp.
#include "understudy/actors/authenticator/user_dn_cache.hpp"

#include "understudy/messages/dn_match.hpp"

namespace understudy::internal {

user_dn_cache::known user_dn_cache::find(const std::string& user, time_point now) const {
  std::lock_guard guard{mutex_};
  const auto* kept = entries_.find(user);
  if (kept == nullptr || now - kept->since >= ttl_) return {std::nullopt, generation_};
  return {kept->dn, generation_};
}

void user_dn_cache::note(const std::string& user, std::optional<std::string> dn, std::uint64_t generation,
                         time_point now) {
  std::lock_guard guard{mutex_};
  entries_.erase(user);
  if (!dn || ttl_ <= duration::zero() || generation != generation_) return;
  auto comparable = comparable_dn(*dn);
  entries_.keep({user, std::move(*dn), std::move(comparable), now}, most_);
}

void user_dn_cache::forget(const std::string& user, const std::set<std::string>& dns) {
  std::lock_guard guard{mutex_};
  ++generation_;
  entries_.erase(user, dns);
}

std::string user_dn_cache::comparable_dn_of(const std::string& user) const {
  std::lock_guard guard{mutex_};
  const auto* kept = entries_.find(user);
  return kept != nullptr ? kept->comparable : std::string{};
}

void user_dn_cache::forget_all() {
  std::lock_guard guard{mutex_};
  ++generation_;
  entries_.clear();
}

}  // namespace understudy::internal
