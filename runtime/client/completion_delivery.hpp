// Telling a caller what came of a request, where the caller wants to be told, whatever the caller's code does.
#pragma once
#include "understudy/actors/ports/ports.hpp"
#include "understudy/runtime/directory.hpp"

namespace understudy::internal {

/// The completion behind a future. It runs nobody's code, and so it is told at once, wherever that is.
struct future_completion {
  std::shared_ptr<std::promise<outcome>> to;
  void operator()(outcome answer) const { to->set_value(std::move(answer)); }
};

/// A completion that is waiting to be told, with the place where its caller wants to hear it. Told once, from whichever
/// place gets to it first.
class completion_delivery {
 public:
  /// `where` may be empty, `log` null.
  completion_delivery(completion done, executor where, std::shared_ptr<log_port> log)
      : done_(std::move(done)), where_(std::move(where)), log_(std::move(log)) {}

  /// Runs it on `where` or, without one (or when that refuses by throwing), on this thread. What it throws is logged:
  /// nobody is there to catch it. Throws nothing.
  void tell(outcome answer) noexcept;
  /// The same on the poller's thread; where that has ended, or `poller` is null, here, by the rule of tell_unnested().
  void tell_elsewhere(poller_port* poller, outcome answer);
  /// The same on this thread, but never inside another completion that is told this way: it waits until that one has
  /// returned, so that a completion that starts the next request does not use up the stack.
  void tell_unnested(outcome answer);

 private:
  completion done_;
  executor where_;
  std::shared_ptr<log_port> log_;
};

}  // namespace understudy::internal
