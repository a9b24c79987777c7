// How many requests ended in each step of the last five minutes, and how long they took.
#pragma once
#include "understudy/actors/metrics/time_steps.hpp"
#include "understudy/messages/snapshot.hpp"

#include <array>
#include <atomic>

namespace understudy::internal {

/// Requests that ended within one step.
struct request_step {
  std::uint64_t total = 0;  ///< so many
  ///@{
  /// What half and 99 % of them did not exceed, estimated between two of latency_bounds and never above the last of
  /// these; zero when there were none.
  duration p50{}, p99{};
  ///@}
};

/// Lock-free; takes the same memory however much is asked.
class request_history {
 public:
  static constexpr std::size_t steps_told = 60;

  void add(duration took, time_point now) noexcept;
  /// The last `steps_told` steps that are over, the oldest first; the one that runs is not among them.
  std::vector<request_step> steps(time_point now) const;

 private:
  /// Those that took longer than the last bound come after it.
  static constexpr std::size_t columns = latency_bounds.size() + 1;
  /// Each word has the number of its step and a count, so that both change at once.
  std::array<std::array<std::atomic<std::uint64_t>, columns>, ring_steps> ring_{};
};

}  // namespace understudy::internal
