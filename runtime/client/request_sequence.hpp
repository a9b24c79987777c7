// Sends the requests of a dialogue, one after the other, within one deadline.
#pragma once
#include "understudy/actors/authenticator/dialogue.hpp"
#include "understudy/runtime/client/cancel_state.hpp"
#include "understudy/runtime/exceptions.hpp"

namespace understudy::internal {

/// What all requests of one call have in common.
struct sequence_limits {
  time_point deadline{};
  cancel_watch watch;
  std::shared_ptr<cancel_source> cancel;  ///< the caller's may be gone when the second request is sent

  sequence_limits(duration timeout, const cancel_source* source)
      : deadline(std::chrono::steady_clock::now() + as_limit(timeout)), watch(source), cancel(watch.source()) {}

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

/// Waits for each of them, on this thread.
template <class Result>
Result run_sequence(directory& through, dialogue<Result>& talk, const sequence_limits& limits) {
  auto step = talk.begin();
  while (auto* request = std::get_if<request_ptr>(&step)) {
    if (auto why = limits.over()) {
      step = talk.answered({nullptr, std::move(why)});
      continue;
    }
    const auto answer = through.perform(std::move(*request), limits.for_next());
    step = talk.answered({answer ? std::make_shared<result>(std::move(*answer)) : nullptr, answer.error()});
  }
  return std::get<Result>(std::move(step));
}

/// Each is sent when the one before has been answered, where that is told. Keeps itself until the last word.
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
        where_(std::move(where)) {}

  /// Throws what directory::start() throws; then `done` is not told.
  void start() {
    auto step = talk_->begin();
    if (auto* request = std::get_if<request_ptr>(&step)) return send(std::move(*request));
    // Nothing needs to be sent. No request at all is refused at once, and that is told where completions are: the
    // caller may hold a lock that `done` takes.
    auto told = [self = this->shared_from_this(), all = std::make_shared<Result>(std::get<Result>(std::move(step)))](
                    const outcome&) { self->done_(std::move(*all)); };
    through_->start(nullptr, std::move(told), {}, where_);
  }

 private:
  void send(request_ptr request) {
    auto answered = [self = this->shared_from_this()](outcome answer) { self->go_on(std::move(answer)); };
    through_->start(std::move(request), std::move(answered), limits_.for_next(), where_);
  }

  void go_on(outcome answer) {
    auto step = talk_->answered(answer ? reply_to_request{std::make_shared<result>(std::move(*answer)), nullptr}
                                       : reply_to_request{nullptr, answer.error()});
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
    done_(std::get<Result>(std::move(step)));
  }

  directory* through_;
  std::unique_ptr<dialogue<Result>> talk_;
  sequence_limits limits_;
  completion_of_all done_;
  executor where_;
};

}  // namespace understudy::internal
