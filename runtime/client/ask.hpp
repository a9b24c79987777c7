// Requests to actors with one typed answer, and a place to wait for it.
#pragma once
#include "understudy/runtime/answer.hpp"
#include "understudy/runtime/client/failures.hpp"
#include "understudy/runtime/client/pending_replies.hpp"
#include "understudy/runtime/client/reply_waiter.hpp"

#include <caf/error.hpp>
#include <caf/type_erased_tuple.hpp>

namespace understudy::internal {

/// The error in an actor's reply, or what to say of a reply that is neither answer nor error.
failure_ptr error_in(caf::type_erased_tuple& content);

/// A request that is answered with a `T`.
template <class T>
class typed_pending_request final : public pending_request {
 public:
  using told = std::function<void(answer<T>)>;
  /// `expire`: what else to do when the time is over; may be empty.
  typed_pending_request(time_point give_up, told done, std::function<void()> expire = {})
      : give_up_(give_up), done_(std::move(done)), expire_(std::move(expire)) {}

  void answered(caf::type_erased_tuple& content) override {
    if (content.match_elements<T>())
      done_({content.move_if_unshared<T>(0), nullptr});
    else
      failed(error_in(content));
  }
  void failed(failure_ptr why) override { done_({std::nullopt, std::move(why)}); }
  void expired() override {
    if (expire_) expire_();
    failed(make_failure(no_answer_in_time(stage::queue)));
  }
  bool over(time_point now) const override { return now >= give_up_; }

 private:
  time_point give_up_;
  told done_;
  std::function<void()> expire_;
};

}  // namespace understudy::internal
