// One request of a thread on its way through the actors.
#pragma once
#include "understudy/runtime/client/cancel_state.hpp"
#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/client/completion_delivery.hpp"
#include "understudy/runtime/client/recovery_plan.hpp"
#include "understudy/runtime/client/stream_buffer.hpp"

namespace understudy::internal {

/// Holds a permit from its start to its outcome; told of its answer by the replies.
class runtime_client::client_request final : public pending_request,
                                             public std::enable_shared_from_this<client_request> {
 public:
  /// With `parts` it is a streaming search: its batches go there.
  client_request(std::shared_ptr<runtime_client> client, route to, request_ptr request, time_point deadline,
                 completion_delivery done, std::shared_ptr<stream_buffer> parts = nullptr);

  /// Sends it. `cancel` may be null.
  void start(std::shared_ptr<cancel_source::state> cancel);

  void on_batch(search_batch&& batch) override;
  void answered(caf::type_erased_tuple& content) override;
  void failed(failure_ptr why) override { settle(std::move(why), told::elsewhere); }
  void expired() override;
  bool over(time_point now) const override;

 private:
  /// Where the caller may be told: on this thread, or only on one of the runtime, as this is somebody's who may hold
  /// the very lock that the completion takes.
  enum class told : std::uint8_t { here, elsewhere };

  void send();
  /// Waits, noted in pending_replies, for the next attempt; false when `why` is the last word.
  bool try_later(const failure_ptr& why);
  /// When the next attempt is due; time_point::max() when there is none.
  time_point next_attempt(const failure& why, time_point now);
  /// `why`, and what was waited for before.
  failure_ptr last_word(const failure_ptr& why) const;
  /// An actor on its way ended before it looked at it: sends it again, after a moment; false when it shall not.
  bool send_again(caf::type_erased_tuple& content);
  failure_ptr explain(caf::type_erased_tuple& content) const;
  void settle(outcome answer, told where);

  std::shared_ptr<runtime_client> client_;
  route to_;
  call call_;
  time_point started_;
  recovery_plan recovery_;
  int bounces_ = 0;
  time_point resume_at_ = time_point::max();  ///< earlier: not sent, waits for another attempt
  time_point planned_{};                      ///< when the pause of the recovery plan ends
  std::uint64_t returns_ = 0;                 ///< environment::returns when it was sent
  std::optional<time_point> failing_since_;
  completion_delivery done_;
  std::shared_ptr<stream_buffer> parts_;
  std::shared_ptr<cancel_source::state> cancel_;
  std::uint64_t cancel_binding_ = 0;
};

}  // namespace understudy::internal
