// When to look at the servers that failed, and how long that is worth waiting for.
#include "understudy/actors/circuit_breaker/fresh_look.hpp"

#include <algorithm>
#include <utility>

namespace understudy::internal {
namespace {

constexpr seconds between_looks{1};

}  // namespace

bool fresh_look::begin(std::vector<server_id> whom, duration patience, time_point now) {
  if (whom.empty() || (began_ && now - *began_ < between_looks)) return false;
  awaited_ = std::move(whom);
  patience_ = patience;
  began_ = now;
  until_ = now + patience;
  return true;
}

void fresh_look::heard(server_id server, bool alive, time_point now) {
  if (!under_way(now)) return;
  const auto found = std::find(awaited_.begin(), awaited_.end(), server);
  if (found == awaited_.end()) return;
  if (alive) {
    until_ = std::max(until_, *began_ + 2 * patience_);
    return;
  }
  awaited_.erase(found);
  if (awaited_.empty()) until_ = now;
}

}  // namespace understudy::internal
