// The answer to a request that somebody else sends: who waits for it, and who owes it.
#pragma once
#include "understudy/actors/authenticator/shared_requests.hpp"
#include "understudy/runtime/client/cancel_state.hpp"

namespace understudy::internal {

/// Why there is no answer where one was lost between two requests: made before memory runs out.
inline const failure_ptr& lost_answer() {
  static const failure_ptr why =
      make_failure(errc::local_resources, stage::queue,
                   "What came of a request could not be passed on, probably since memory ran out; ask again");
  return why;
}

/// Waits for another's answer, or for the caller's own cancel: whichever comes first is told, once.
class shared_answer : public std::enable_shared_from_this<shared_answer> {
 public:
  /// Called on the thread that brings it; must not wait.
  explicit shared_answer(std::function<void(reply_to_request)> tell) : tell_(std::move(tell)) { lost_answer(); }
  shared_answer(const shared_answer&) = delete;
  shared_answer& operator=(const shared_answer&) = delete;
  /// Nobody brings it any more: that is told.
  ~shared_answer() {
    if (!waits_) return;
    try {
      settle({nullptr, lost_answer()});
    } catch (...) {
      settled_ = true;  // who waits has told it himself, or cannot be told
    }
  }

  /// Takes the answer; keeps this. What it is given is copied, since others get it too.
  shared_requests::told taker() {
    return [self = shared_from_this()](const reply_to_request& reply) {
      self->settle({reply.found ? std::make_shared<result>(*reply.found) : nullptr, reply.failed});
    };
  }
  /// It waits. From now on a cancel ends that.
  void end_with(const cancel_watch& watch) {
    waits_ = true;
    const bool early = watch.bind([waiting = weak_from_this()] {
      if (const auto self = waiting.lock()) self->cancel();
    });
    if (early) cancel();
  }

 private:
  void cancel() { settle({nullptr, make_failure(caller_cancelled(stage::queue))}); }
  void settle(reply_to_request reply) {
    if (!settled_.exchange(true)) tell_(std::move(reply));
  }

  std::function<void(reply_to_request)> tell_;
  bool waits_ = false;
  std::atomic<bool> settled_{false};
};

/// Owes others the answer to a request: they are told when it is there, or that it will never be.
class landing {
 public:
  landing(std::shared_ptr<shared_requests> shared, std::uint64_t number)
      : shared_(std::move(shared)), number_(number) {}
  landing(const landing&) = delete;
  landing& operator=(const landing&) = delete;
  ~landing() {
    if (number_ == 0) return;
    // They ask themselves.
    land({nullptr, make_failure(caller_cancelled(stage::queue))});
  }
  void land(const reply_to_request& reply) { shared_->land(std::exchange(number_, 0), reply); }

 private:
  std::shared_ptr<shared_requests> shared_;
  std::uint64_t number_;
};

}  // namespace understudy::internal
