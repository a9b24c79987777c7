// Counting credits, cutting batches.
#include "understudy/actors/connection/stream_flow.hpp"

#include <algorithm>
#include <utility>

namespace understudy::internal {

stream_flow::stream_flow(std::uint32_t credits, std::size_t most_bytes, time_point now) noexcept
    : bytes_of_credit_(std::max<std::size_t>(most_bytes / std::max<std::size_t>(credits, 1), 1)), silent_since_(now) {
  add(credits);
}

void stream_flow::add(std::uint32_t more) noexcept {
  credits_ += std::min<std::int64_t>(more, std::int64_t{most_credits} - credits_);
}

bool stream_flow::grant(std::uint32_t more, time_point now) noexcept {
  add(more);
  if (!waiting_ || credits_ <= 0) return false;
  waiting_ = false;
  silent_since_ = now;
  return true;
}

bool stream_flow::may_take(time_point now) noexcept {
  waiting_ = credits_ <= 0;
  if (!waiting_) silent_since_ = now;
  return !waiting_;
}

std::uint32_t stream_flow::took(std::size_t bytes, time_point now) noexcept {
  const auto cost = std::clamp<std::size_t>((bytes + bytes_of_credit_ - 1) / bytes_of_credit_, 1, most_credits);
  credits_ -= static_cast<std::int64_t>(cost);
  ++taken_;
  silent_since_ = now;
  return static_cast<std::uint32_t>(cost);
}

search_batch cut_batch(result& gathered) {
  search_batch cut;
  cut.entries = std::exchange(gathered.entries, {});
  cut.references = std::exchange(gathered.references, {});
  cut.reference_positions = std::exchange(gathered.reference_positions, {});
  cut.reference_controls = std::exchange(gathered.reference_controls, {});
  return cut;
}

}  // namespace understudy::internal
