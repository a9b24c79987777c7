// How long connections took lately to become ready, from counters that only grow.
#pragma once
#include "understudy/messages/snapshot.hpp"

#include <deque>

namespace understudy::internal {

/// Keeps what the counters said at earlier looks: a minute's trouble of long ago is no alert of today. On injected
/// time; calls must not overlap.
class recent_connects {
 public:
  static constexpr seconds span{300};
  /// Looks closer to each other than that are taken for one, so that few are kept.
  static constexpr seconds apart{5};

  /// The average of those that became ready since the latest look that is `span` old, or since the counters began when
  /// none is: it goes further back where nobody looked. Zero when there were none.
  duration average(const latency_counts& counted, time_point now);
  /// How many looks are kept.
  std::size_t kept() const noexcept { return looks_.size(); }

 private:
  struct counts {
    std::uint64_t count = 0;
    duration total{};
  };
  duration average() const;
  struct look {
    time_point at;
    counts then;
  };
  counts before_;           ///< at the latest look that is older than those kept
  std::deque<look> looks_;  ///< within `span`, in order
  counts seen_;             ///< the latest
};

}  // namespace understudy::internal
