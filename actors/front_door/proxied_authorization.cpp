// Looking for the control in a root DSE, and what was found in which.
#include "understudy/actors/front_door/proxied_authorization.hpp"

#include <algorithm>

namespace understudy::internal {

search_request proxied_authorization_search() {
  search_request asked;
  asked.scope = search_scope::base;
  asked.attributes = {"supportedControl"};
  return asked;
}

bool offers_proxied_authorization(const result& root_dse) noexcept {
  return std::any_of(root_dse.entries.begin(), root_dse.entries.end(), [](const entry& each) {
    const auto* listed = each.find("supportedControl");
    return listed != nullptr &&
           std::find(listed->values.begin(), listed->values.end(), proxied_authorization_oid) != listed->values.end();
  });
}

void proxied_authorization_offer::note(std::optional<server_id> server, bool listed, time_point now) {
  const std::lock_guard lock{mutex_};
  if (server) servers_[*server] = {listed, now};
  const bool elsewhere =
      server && std::any_of(servers_.begin(), servers_.end(), [](const auto& each) { return each.second.listed; });
  seen_.store(listed || elsewhere);
}

proxied_authorization_offer::known proxied_authorization_offer::of(server_id server, time_point now) const {
  const std::lock_guard lock{mutex_};
  const auto found = servers_.find(server);
  if (found == servers_.end()) return known::nothing;
  if (found->second.listed) return known::listed;
  return now < found->second.at + missing_for ? known::missing : known::nothing;
}

server_set proxied_authorization_offer::missing(time_point now) const {
  server_set all;
  const std::lock_guard lock{mutex_};
  for (const auto& [server, seen] : servers_)
    if (!seen.listed && now < seen.at + missing_for) all.insert(server);
  return all;
}

}  // namespace understudy::internal
