// What takes several requests, one after the other, and comes to one result: decided apart from who sends them.
#pragma once
#include "understudy/messages/error.hpp"
#include "understudy/messages/result.hpp"

#include <variant>

namespace understudy::internal {

/// What came of a request of a dialogue: exactly one of both.
struct reply_to_request {
  result_ptr found;    ///< the directory's result
  failure_ptr failed;  ///< why there is none
};

/// Sends nothing itself: it says what is to be sent next, is told what came of it, and in the end says what all of it
/// comes to. Used once. Ends after a bounded number of requests.
template <class Result>
class dialogue {
 public:
  /// A request to send, or the result, which is the last word.
  using step = std::variant<request_ptr, Result>;

  virtual ~dialogue() = default;
  /// The first step.
  virtual step begin() = 0;
  /// The step after that reply to the last request.
  virtual step answered(const reply_to_request& reply) = 0;
};

}  // namespace understudy::internal
