// Who holds what, and whose turn it is to give it up.
#include "understudy/actors/front_door/held_connections.hpp"

#include <algorithm>

namespace understudy::internal {

void held_connections::enter(key client, server_id server, const std::string& address, std::function<void()> give_up) {
  const std::lock_guard lock{mutex_};
  all_[client] = {server, address, std::nullopt, std::move(give_up), false};
}

void held_connections::set_idle(key client, std::optional<time_point> since) {
  const std::lock_guard lock{mutex_};
  const auto found = all_.find(client);
  if (found == all_.end()) return;
  found->second.idle_since = since;
  found->second.told = false;
}

void held_connections::leave(key client) {
  const std::lock_guard lock{mutex_};
  all_.erase(client);
}

bool held_connections::contains(key client) const {
  const std::lock_guard lock{mutex_};
  return all_.count(client) > 0;
}

std::size_t held_connections::count(std::optional<server_id> server) const {
  const std::lock_guard lock{mutex_};
  return static_cast<std::size_t>(
      std::count_if(all_.begin(), all_.end(), [&](const auto& each) { return counts(each.second, server); }));
}

bool held_connections::give_up_one(std::optional<server_id> server, duration least_idle, time_point now) {
  std::function<void()> give_up;
  {
    const std::lock_guard lock{mutex_};
    std::map<std::string_view, std::size_t> by_address;
    for (const auto& [client, each] : all_)
      if (counts(each, server)) ++by_address[each.address];
    auto chosen = all_.end();
    const auto goes_before = [&](const held& a, const held& b) {
      const auto of_a = by_address[a.address], of_b = by_address[b.address];
      return of_a != of_b ? of_a > of_b : *a.idle_since < *b.idle_since;
    };
    for (auto at = all_.begin(); at != all_.end(); ++at) {
      const auto& each = at->second;
      if (!counts(each, server) || !each.idle_since || now - *each.idle_since < least_idle) continue;
      if (chosen == all_.end() || goes_before(each, chosen->second)) chosen = at;
    }
    if (chosen == all_.end()) return false;
    give_up = chosen->second.give_up;
    chosen->second.told = true;
  }
  give_up();
  return true;
}

}  // namespace understudy::internal
