// Counts of refused binds, forgotten when their time is over.
#include "understudy/actors/front_door/bind_limiter.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

// A name may be as long as a message: those that no directory has are counted as one, so that what is remembered has a
// bound in bytes too.
constexpr std::size_t longest_name = 1024;

std::string counted_name(const std::string& name) { return name.size() > longest_name ? "(too long)" : name; }

}  // namespace

bool bind_limiter::allows(counts& all, const std::string& key, std::uint32_t most, time_point now) {
  const auto found = all.find(key);
  if (found == all.end()) return true;
  if (found->second.until > now) return found->second.refused < most;
  all.erase(found);
  return true;
}

void bind_limiter::note(counts& all, const std::string& key, time_point now) {
  if (all.size() >= limits_.remembered && all.count(key) == 0) {
    for (auto at = all.begin(); at != all.end();) at = at->second.until <= now ? all.erase(at) : std::next(at);
    // Whoever makes up names without end makes us forget one at a time, not all, and those that are about to be
    // forgotten anyway.
    if (all.size() >= limits_.remembered)
      all.erase(std::min_element(all.begin(), all.end(),
                                 [](const auto& a, const auto& b) { return a.second.until < b.second.until; }));
  }
  auto& one = all[key];
  if (one.until <= now) one = {0, now + limits_.window};
  ++one.refused;
}

bool bind_limiter::allows_address(const std::string& address, time_point now) {
  const std::lock_guard lock{mutex_};
  return allows(addresses_, address, limits_.by_address, now);
}

bool bind_limiter::allows_name(const std::string& name, time_point now) {
  const std::lock_guard lock{mutex_};
  return allows(names_, counted_name(name), limits_.by_name, now);
}

void bind_limiter::refused(const std::string& address, const std::string& name, time_point now) {
  const std::lock_guard lock{mutex_};
  if (!address.empty()) note(addresses_, address, now);
  if (!name.empty()) note(names_, counted_name(name), now);
}

void bind_limiter::accepted(const std::string& name) {
  const std::lock_guard lock{mutex_};
  names_.erase(counted_name(name));
}

}  // namespace understudy::internal
