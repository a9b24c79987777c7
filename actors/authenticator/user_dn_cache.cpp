// Keeps DNs: see user_dn_cache.hpp.
#include "understudy/actors/authenticator/user_dn_cache.hpp"

namespace understudy::internal {

user_dn_cache::known user_dn_cache::find(const std::string& user, time_point now) const {
  std::lock_guard guard{mutex_};
  const auto at = by_user_.find(user);
  if (at == by_user_.end() || now - at->second->since >= ttl_) return {std::nullopt, generation_};
  return {at->second->dn, generation_};
}

void user_dn_cache::note(const std::string& user, std::optional<std::string> dn, std::uint64_t generation,
                         time_point now) {
  std::lock_guard guard{mutex_};
  erase(user);
  if (!dn || ttl_ <= duration::zero() || most_ == 0 || generation != generation_) return;
  if (entries_.size() >= most_) erase(std::string{entries_.front().user});
  entries_.push_back({user, std::move(*dn), now});
  by_user_[user] = std::prev(entries_.end());
}

void user_dn_cache::erase(const std::string& user) {
  const auto at = by_user_.find(user);
  if (at == by_user_.end()) return;
  entries_.erase(at->second);
  by_user_.erase(at);
}

void user_dn_cache::forget(const std::string& user) {
  std::lock_guard guard{mutex_};
  ++generation_;
  erase(std::string{user});
}

void user_dn_cache::forget_all() {
  std::lock_guard guard{mutex_};
  ++generation_;
  by_user_.clear();
  entries_.clear();
}

}  // namespace understudy::internal
