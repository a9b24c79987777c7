// Parked connections and the oldest of them.
#include "understudy/actors/front_door/parked_sessions.hpp"

namespace understudy::internal {

void parked_sessions::park(key client, server_id server, time_point since, std::function<void()> give_up) {
  const std::lock_guard lock{mutex_};
  all_[client] = {server, since, std::move(give_up)};
}

void parked_sessions::take(key client) {
  const std::lock_guard lock{mutex_};
  all_.erase(client);
}

bool parked_sessions::give_up_oldest(server_id server, std::size_t least_parked, duration least_idle, time_point now) {
  std::function<void()> give_up;
  {
    const std::lock_guard lock{mutex_};
    std::size_t there = 0;
    auto oldest = all_.end();
    for (auto at = all_.begin(); at != all_.end(); ++at) {
      if (at->second.server != server) continue;
      ++there;
      if (oldest == all_.end() || at->second.since < oldest->second.since) oldest = at;
    }
    if (there == 0 || there < least_parked || now - oldest->second.since < least_idle) return false;
    give_up = std::move(oldest->second.give_up);
    all_.erase(oldest);
  }
  give_up();
  return true;
}

std::size_t parked_sessions::count() const {
  const std::lock_guard lock{mutex_};
  return all_.size();
}

}  // namespace understudy::internal
