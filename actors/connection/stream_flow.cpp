// Counting credits, cutting batches.
#include "understudy/actors/connection/stream_flow.hpp"

#include <algorithm>
#include <utility>

namespace understudy {

void stream_flow::add(std::uint32_t more) noexcept { credits_ += std::min(more, most_credits - credits_); }

bool stream_flow::grant(std::uint32_t more, time_point now) noexcept {
  add(more);
  if (!waiting_ || credits_ == 0) return false;
  waiting_ = false;
  silent_since_ = now;
  return true;
}

bool stream_flow::take(time_point now) noexcept {
  waiting_ = credits_ == 0;
  if (waiting_) return false;
  --credits_;
  ++taken_;
  silent_since_ = now;
  return true;
}

search_batch cut_batch(result& gathered) {
  search_batch cut;
  cut.entries = std::exchange(gathered.entries, {});
  cut.references = std::exchange(gathered.references, {});
  cut.reference_positions = std::exchange(gathered.reference_positions, {});
  return cut;
}

}  // namespace understudy
