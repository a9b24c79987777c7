// Gathers what the breaker is told of operations, so that a success costs no message of its own.
#pragma once
#include "understudy/messages/event.hpp"

namespace understudy::internal {

/// Successes are gathered for at most `every` and leave before or with the next failure: the order of outcomes is kept.
class outcome_batch {
 public:
  static constexpr duration every = milliseconds{100};

  explicit outcome_batch(server_id server) { next_.server = server; }

  /// To be called before an outcome of that breaker generation is noted: what is gathered of another one, to be sent.
  std::optional<outcome_report> turn_to(std::uint32_t generation);
  /// True when it is the first one gathered: then due_at() is set.
  bool success(duration latency, time_point now);
  /// A failure, with the successes before it.
  outcome_report failed(failure_class kind, failure_ptr cause, bool trial);
  /// What is gathered, now; nothing when that is nothing.
  std::optional<outcome_report> flush(bool trial = false);
  /// When to flush at the latest; time_point::max() when nothing is gathered.
  time_point due_at() const noexcept { return due_at_; }

 private:
  outcome_report take();

  outcome_report next_;
  time_point due_at_ = time_point::max();
};

}  // namespace understudy::internal
