// Book-keeping of leases.
#include "understudy/actors/pool/lease_registry.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

/// Lost leases remembered at most; an older one that comes back is an unknown one.
constexpr std::size_t remembered_losses = 256;

}  // namespace

void lease_registry::open(lease_record l) {
  ++acquired_;
  const auto id = l.id;
  open_.emplace(id, std::move(l));
}

bool lease_registry::claim(lease_id id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return false;
  found->second.claimed = true;
  return true;
}

std::optional<lease_record> lease_registry::close(lease_id id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return std::nullopt;
  lease_record ended = std::move(found->second);
  open_.erase(found);
  ++released_;
  return ended;
}

std::optional<lease_record> lease_registry::mark_lost(lease_id id) {
  auto ended = close(id);
  if (!ended) return ended;
  lost_.push_back(id);
  if (lost_.size() > remembered_losses) lost_.pop_front();
  return ended;
}

bool lease_registry::acknowledge_lost(lease_id id) {
  const auto found = std::find(lost_.begin(), lost_.end(), id);
  if (found == lost_.end()) return false;
  lost_.erase(found);
  return true;
}

std::vector<lease_id> lease_registry::unclaimed(time_point now) const {
  std::vector<lease_id> late;
  for (const auto& [id, l] : open_)
    if (!l.claimed && l.granted + claim_time <= now) late.push_back(id);
  return late;
}

std::vector<lease_record> lease_registry::overdue(time_point now, duration threshold) {
  std::vector<lease_record> late;
  for (auto& [id, l] : open_) {
    if (l.reported || l.may_last || l.granted + threshold > now) continue;
    l.reported = true;
    ++leaks_;
    late.push_back(l);
  }
  return late;
}

std::vector<lease_record> lease_registry::all() const {
  std::vector<lease_record> every;
  for (const auto& [id, l] : open_) every.push_back(l);
  return every;
}

time_point lease_registry::next_claim() const noexcept {
  auto next = time_point::max();
  for (const auto& [id, l] : open_)
    if (!l.claimed) next = std::min(next, l.granted + claim_time);
  return next;
}

}  // namespace understudy::internal
