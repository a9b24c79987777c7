// Sends the requests of a dialogue, one after the other, within one deadline.
#pragma once
#include "understudy/actors/authenticator/dialogue.hpp"
#include "understudy/actors/authenticator/shared_requests.hpp"
#include "understudy/runtime/client/cancel_state.hpp"
#include "understudy/runtime/client/referral_targets.hpp"
#include "understudy/runtime/client/shared_answer.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/runtime/platform/callback_thread.hpp"

namespace understudy::internal {

/// What all requests of one call have in common.
struct sequence_limits {
  time_point deadline{};
  cancel_watch watch;
  std::shared_ptr<cancel_source> cancel;            ///< the caller's may be gone when the second request is sent
  std::shared_ptr<shared_requests> shared;          ///< of calls that may have each other's answers; null: none may
  std::shared_ptr<const referral_targets> targets;  ///< of calls that follow referrals; null: they do not

  sequence_limits(duration timeout, const cancel_source* source, std::shared_ptr<shared_requests> share = nullptr,
                  std::shared_ptr<const referral_targets> followed_to = nullptr)
      : deadline(std::chrono::steady_clock::now() + as_limit(timeout)),
        watch(source),
        cancel(watch.source()),
        shared(std::move(share)),
        targets(std::move(followed_to)) {}

  /// Another directory that stands for the server which is wished for; null: the one that everything goes to.
  directory* elsewhere(const request& order) const noexcept {
    return targets ? targets->of(order.wish.server) : nullptr;
  }

  /// Why nothing more is sent, or null.
  failure_ptr over() const {
    if (watch.cancelled()) return make_failure(caller_cancelled(stage::queue));
    if (std::chrono::steady_clock::now() >= deadline) return make_failure(deadline_passed_unsent(stage::queue));
    return nullptr;
  }
  call_options for_next() const {
    call_options options;
    // Never zero, which would mean the default.
    options.timeout = std::max<duration>(deadline - std::chrono::steady_clock::now(), duration{1});
    options.cancel = cancel.get();
    return options;
  }
};

inline reply_to_request reply_of(const outcome& answer) {
  return {answer ? std::make_shared<result>(std::move(*answer)) : nullptr, answer.error()};
}

/// Sends it, or waits for the answer to an equal request that is under way.
inline reply_to_request ask_and_wait(directory& through, const request_ptr& request, const sequence_limits& limits) {
  const auto send = [&] {
    auto* const other = limits.elsewhere(*request);
    if (other == nullptr) return reply_of(through.perform(request, limits.for_next()));
    return named_after(request->wish.server, reply_of(other->perform(request, limits.for_next())));
  };
  // Who waits on a thread that brings answers is refused there.
  if (!limits.shared || !callback_thread::may_wait_for_requests()) return send();
  for (;;) {
    const auto promise = std::make_shared<std::promise<reply_to_request>>();
    const auto awaited =
        std::make_shared<shared_answer>([promise](reply_to_request reply) { promise->set_value(std::move(reply)); });
    if (const auto number = limits.shared->join(*request, limits.deadline, awaited->taker())) {
      landing flight{limits.shared, number};
      auto reply = send();
      flight.land(reply);
      return reply;
    }
    awaited->end_with(limits.watch);
    auto reply = promise->get_future().get();
    if (!shared_requests::is_the_askers_own(reply)) return reply;
    if (auto why = limits.over()) return {nullptr, std::move(why)};
  }
}

/// Waits for each of them, on this thread.
template <class Result>
Result run_sequence(directory& through, dialogue<Result>& talk, const sequence_limits& limits) {
  auto step = talk.begin();
  while (auto* request = std::get_if<request_ptr>(&step)) {
    if (auto why = limits.over()) {
      step = talk.answered({nullptr, std::move(why)});
      continue;
    }
    const auto order = std::move(*request);
    step = talk.answered(ask_and_wait(through, order, limits));
  }
  return std::get<Result>(std::move(step));
}

/// Each is sent when the one before has been answered, where that is told. Keeps itself until the last word. Whoever
/// lets go of it before, since something threw on the way, has told that the answer was lost.
template <class Result>
class request_sequence : public std::enable_shared_from_this<request_sequence<Result>> {
 public:
  using completion_of_all = std::function<void(Result)>;

  request_sequence(directory& through, std::unique_ptr<dialogue<Result>> talk, sequence_limits limits,
                   completion_of_all done, executor where)
      : through_(&through),
        talk_(std::move(talk)),
        limits_(std::move(limits)),
        done_(std::move(done)),
        where_(std::move(where)) {
    lost_answer();
  }
  request_sequence(const request_sequence&) = delete;
  request_sequence& operator=(const request_sequence&) = delete;
  ~request_sequence() {
    if (told_) return;
    Result lost;
    lost.failed = lost_answer();
    lost.retryable = true;
    try {
      lost.detail = lost.failed->message;
    } catch (const std::bad_alloc&) {
      lost.detail.clear();  // `failed` says it too
    }
    try {
      tell(std::move(lost));
    } catch (...) {
      // A completion must not throw, and there is nobody left who could be told.
      told_ = true;
    }
  }

  /// Throws what directory::start() throws; then `done` is not told.
  void start() {
    try {
      begin();
    } catch (...) {
      told_ = true;
      throw;
    }
  }

 private:
  void begin() {
    auto step = talk_->begin();
    if (auto* request = std::get_if<request_ptr>(&step)) return send(std::move(*request));
    // Nothing needs to be sent, and the caller may hold a lock that `done` takes.
    tell_elsewhere([self = this->shared_from_this(), all = std::make_shared<Result>(std::get<Result>(
                                                         std::move(step)))] { self->tell(std::move(*all)); });
  }

  void tell(Result all) {
    if (!told_.exchange(true)) done_(std::move(all));
  }

  /// Runs it where completions are told. No request at all is refused at once, and nobody counts it.
  template <class Work>
  void tell_elsewhere(Work work) {
    through_->start(
        nullptr, [work = std::move(work)](const outcome&) mutable { work(); }, {}, where_);
  }

  void send(request_ptr request) {
    if (!limits_.shared) return send_own(std::move(request), nullptr);
    const auto awaited = std::make_shared<shared_answer>(
        [self = this->shared_from_this(), request](reply_to_request reply) { self->got(request, std::move(reply)); });
    if (const auto number = limits_.shared->join(*request, limits_.deadline, awaited->taker()))
      return send_own(std::move(request), std::make_shared<landing>(limits_.shared, number));
    awaited->end_with(limits_.watch);
  }

  void send_own(request_ptr request, std::shared_ptr<landing> flight) {
    auto* const other = limits_.elsewhere(*request);
    auto answered = [self = this->shared_from_this(), flight = std::move(flight),
                     server = other != nullptr ? request->wish.server : std::string{}](const outcome& answer) {
      auto reply = reply_of(answer);
      if (!server.empty()) reply = named_after(server, std::move(reply));
      if (flight) flight->land(reply);
      self->go_on(std::move(reply));
    };
    (other != nullptr ? other : through_)->start(std::move(request), std::move(answered), limits_.for_next(), where_);
  }

  /// Another's answer, on a thread of that one.
  void got(const request_ptr& request, reply_to_request reply) {
    auto next = [self = this->shared_from_this(), request,
                 said = std::make_shared<reply_to_request>(std::move(reply))] {
      if (!shared_requests::is_the_askers_own(*said)) return self->go_on(std::move(*said));
      if (auto why = self->limits_.over()) return self->go_on({nullptr, std::move(why)});
      try {
        self->send(request);
      } catch (const ldap_exception& refused) {
        self->go_on({nullptr, make_failure(refused.reason())});
      }
    };
    try {
      tell_elsewhere(next);
    } catch (const ldap_exception&) {
      next();
    }
  }

  void go_on(reply_to_request reply) {
    auto step = talk_->answered(reply);
    while (auto* request = std::get_if<request_ptr>(&step)) {
      auto why = limits_.over();
      if (!why) {
        try {
          return send(std::move(*request));
        } catch (const ldap_exception& refused) {
          why = make_failure(refused.reason());
        }
      }
      step = talk_->answered({nullptr, std::move(why)});
    }
    tell(std::get<Result>(std::move(step)));
  }

  directory* through_;
  std::unique_ptr<dialogue<Result>> talk_;
  sequence_limits limits_;
  completion_of_all done_;
  executor where_;
  std::atomic<bool> told_{false};
};

}  // namespace understudy::internal
