// What a cancel_source and the request it may cancel share.
#pragma once
#include "understudy/runtime/directory.hpp"

#include <mutex>
#include <utility>

namespace understudy {

using namespace internal;

/// A cancel before the first request is kept for it, since the caller cannot know whether that was started already; one
/// between two requests does nothing.
struct cancel_source::state {
  std::mutex mutex;
  bool used = false;
  bool early = false;             ///< cancelled before the first request
  std::uint64_t calls = 0;        ///< of cancel()
  std::uint64_t bound = 0;        ///< counts requests, so that only the one that is bound unbinds
  std::function<void()> give_up;  ///< of the request under way

  /// `end_request` is called (without lock) when the request shall be given up; 0 when it was given up before it began.
  std::uint64_t bind(std::function<void()> end_request) {
    std::lock_guard guard{mutex};
    used = true;
    if (std::exchange(early, false)) return 0;
    give_up = std::move(end_request);
    return ++bound;
  }

  void unbind(std::uint64_t binding) {
    std::function<void()> dropped;
    std::lock_guard guard{mutex};
    if (bound == binding) dropped.swap(give_up);
  }

  void cancel() {
    std::function<void()> end_request;
    {
      std::lock_guard guard{mutex};
      ++calls;
      if (!used) early = true;
      end_request = give_up;
    }
    if (end_request) end_request();
  }
};

namespace internal {

/// What a call of several requests looks at before each of them: a cancel between two requests is one of the call's.
class cancel_watch {
 public:
  /// `source` may be null: nobody cancels.
  explicit cancel_watch(const cancel_source* source) : state_(source ? source->state_ : nullptr), before_(calls()) {}
  /// A source of the same cancels, which lives on when the caller's is gone; null without one.
  std::shared_ptr<cancel_source> source() const {
    if (!state_) return nullptr;
    auto same = std::make_shared<cancel_source>();
    same->state_ = state_;
    return same;
  }
  /// Calls `end_wait` (without a lock) when it is cancelled, until the next request is bound. True: that has happened
  /// before the first request.
  bool bind(std::function<void()> end_wait) const { return state_ && state_->bind(std::move(end_wait)) == 0; }
  /// True when it was cancelled since.
  bool cancelled() const { return calls() != before_; }

 private:
  std::uint64_t calls() const {
    if (!state_) return 0;
    std::lock_guard guard{state_->mutex};
    return state_->calls;
  }

  std::shared_ptr<cancel_source::state> state_;
  std::uint64_t before_;
};

}  // namespace internal
}  // namespace understudy
