// Learning and forgetting the number of connections that can be had.
#include "understudy/actors/pool/growth_limit.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

/// A limit that nobody has met for so long after it might have been tried again is history.
constexpr duration memory = 2 * growth_limit::cap;

}  // namespace

bool growth_limit::met(std::uint32_t open, time_point now, const random_source& random) {
  const bool fresh = !known();
  limit_ = std::max(1U, open);
  // Not at once, however the dice fall: callers would make a storm of connects that cannot succeed.
  const auto pause = backoff_.fail(random);
  retry_at_ = now + std::max(pause, backoff_.ceiling() / 2);
  return fresh;
}

bool growth_limit::passed(std::uint32_t open) noexcept {
  if (!known() || open <= limit_) return false;
  forget();
  return true;
}

void growth_limit::expire(time_point now) noexcept {
  if (known() && now - retry_at_ > memory) forget();
}

void growth_limit::forget() noexcept {
  limit_ = 0;
  retry_at_ = time_point{};
  backoff_.succeed();
}

}  // namespace understudy::internal
