// Numbers of servers: see server_ids.hpp.
#include "understudy/actors/connection_manager/server_ids.hpp"

#include "understudy/config/endpoint.hpp"

#include <utility>

namespace understudy::internal {

std::vector<server_id> server_ids::number(const std::vector<connection_info>& servers) {
  std::vector<server_id> ids;
  const auto before = std::exchange(known_, {});
  for (const auto& server : servers) {
    const auto key = server_key(server);
    const auto old = before.find(key);
    // The validator lets no place occur twice; if one did, the second would be a server of its own.
    const bool keeps = old != before.end() && known_.count(key) == 0;
    ids.push_back(keeps ? old->second : next_++);
    known_.emplace(key, ids.back());
  }
  return ids;
}

}  // namespace understudy::internal
