// Averages over the last minutes: see recent_connects.hpp.
#include "understudy/runtime/client/recent_connects.hpp"

namespace understudy::internal {

duration recent_connects::average(const latency_counts& counted, time_point now) {
  if (counted.count < seen_.count) return average();  // older than what another look has brought
  seen_ = {counted.count, counted.total};
  while (!looks_.empty() && now - looks_.front().at >= span) {
    before_ = looks_.front().then;
    looks_.pop_front();
  }
  if (looks_.empty() || now - looks_.back().at >= apart) looks_.push_back({now, seen_});
  return average();
}

duration recent_connects::average() const {
  if (seen_.count <= before_.count) return duration::zero();
  return (seen_.total - before_.total) / static_cast<duration::rep>(seen_.count - before_.count);
}

}  // namespace understudy::internal
