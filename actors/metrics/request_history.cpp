// Counts by step and latency in a ring; a word of an earlier round is begun anew by who adds to it.
#include "understudy/actors/metrics/request_history.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

// Half of a word each: a word of a rare latency is not begun anew for long, and a step's number comes back after 680
// years.
constexpr unsigned latency_count_bits = 32;
constexpr std::uint64_t latency_count_mask = (std::uint64_t{1} << latency_count_bits) - 1;

/// Of a step, as it stands in a word.
std::uint64_t number_of(std::uint64_t step) noexcept { return step & latency_count_mask; }

std::size_t column_of(duration took) noexcept {
  return static_cast<std::size_t>(std::lower_bound(latency_bounds.begin(), latency_bounds.end(), took) -
                                  latency_bounds.begin());
}

/// The latency that `part` of the counted ones did not exceed: within a column they are taken for evenly spread.
template <class Counts>
duration within(const Counts& counts, std::uint64_t total, double part) {
  const auto wanted = part * static_cast<double>(total);
  double passed = 0;
  duration lower{};
  for (std::size_t i = 0; i < latency_bounds.size(); ++i) {
    const auto here = static_cast<double>(counts[i]);
    if (here > 0 && passed + here >= wanted) {
      const auto width = std::chrono::duration<double, duration::period>(latency_bounds[i] - lower);
      return lower + std::chrono::duration_cast<duration>(width * ((wanted - passed) / here));
    }
    passed += here;
    lower = latency_bounds[i];
  }
  return total == 0 ? duration{} : lower;
}

}  // namespace

void request_history::add(duration took, time_point now) noexcept {
  const auto number = number_of(step_of(now));
  auto& word = ring_[number % ring_steps][column_of(took)];
  auto seen = word.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  do {
    const bool current = seen >> latency_count_bits == number;
    next = (number << latency_count_bits) | ((current ? seen & latency_count_mask : 0) + 1);
  } while (!word.compare_exchange_weak(seen, next, std::memory_order_relaxed));
}

std::vector<request_step> request_history::steps(time_point now) const {
  std::vector<request_step> found;
  found.reserve(steps_told);
  for (auto back = std::uint64_t{steps_told}; back > 0; --back) {
    const auto number = number_of(step_of(now) - back);
    std::array<std::uint64_t, columns> counts{};
    request_step step;
    for (std::size_t i = 0; i < columns; ++i) {
      const auto word = ring_[number % ring_steps][i].load(std::memory_order_relaxed);
      if (word >> latency_count_bits == number) counts[i] = word & latency_count_mask;
      step.total += counts[i];
    }
    step.p50 = within(counts, step.total, 0.5);
    step.p99 = within(counts, step.total, 0.99);
    found.push_back(step);
  }
  return found;
}

}  // namespace understudy::internal
