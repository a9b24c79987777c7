// Averages over the last minutes: see recent_connects.hpp.
#include "understudy/runtime/client/recent_connects.hpp"

namespace understudy::internal {

duration recent_connects::average(const latency_counts& counted, time_point now) {
  const auto& latest = looks_.empty() ? before_ : looks_.back().then;
  if (counted.count < latest.count) {  // others, which have begun anew
    before_ = {};
    looks_.clear();
  }
  while (!looks_.empty() && now - looks_.front().at >= span) {
    before_ = looks_.front().then;
    looks_.pop_front();
  }
  if (looks_.empty() || now - looks_.back().at >= apart) looks_.push_back({now, {counted.count, counted.total}});
  if (counted.count <= before_.count) return duration::zero();
  return (counted.total - before_.total) / static_cast<duration::rep>(counted.count - before_.count);
}

}  // namespace understudy::internal
