// Counting successes until they are worth a message.
#include "understudy/actors/connection/outcome_batch.hpp"

namespace understudy::internal {

outcome_report outcome_batch::take() {
  outcome_report full = next_;
  next_ = {};
  next_.server = full.server;
  next_.generation = full.generation;
  due_at_ = time_point::max();
  return full;
}

std::optional<outcome_report> outcome_batch::turn_to(std::uint32_t generation) {
  if (generation == next_.generation) return std::nullopt;
  auto earlier = flush();
  next_.generation = generation;
  return earlier;
}

bool outcome_batch::success(duration latency, time_point now) {
  ++next_.successes;
  next_.latency_total += latency;
  if (next_.successes > 1) return false;
  due_at_ = now + every;
  return true;
}

outcome_report outcome_batch::failed(failure_class kind, failure_ptr cause, bool trial) {
  auto report = take();
  report.failed = kind;
  report.cause = std::move(cause);
  report.trial = trial;
  return report;
}

std::optional<outcome_report> outcome_batch::flush(bool trial) {
  if (next_.successes == 0) return std::nullopt;
  auto report = take();
  report.trial = trial;
  return report;
}

}  // namespace understudy::internal
