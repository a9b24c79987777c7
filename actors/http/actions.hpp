// What the session of an HTTP client decides to do: plain values that its actor carries out in order.
#pragma once
#include "understudy/actors/http/http_routes.hpp"

namespace understudy::internal::http_action {

/// For the client.
struct send {
  std::string bytes;
};
/// http_session::answer() brings the response, by that number.
struct fetch {
  std::uint64_t number = 0;
  page_wish page;
};
/// The same, of an order.
struct obey {
  std::uint64_t number = 0;
  http_order order;
};
/// Somebody who may not give it was told so.
struct note_refusal {
  http_order::kind order = http_order::kind::suspend;
  int status = 0;
};
/// What has happened since: http_session::events() takes it.
struct look_for_events {
  std::uint64_t after = 0;
  bool details = false;
};
/// Close when all that was sent has left, or cannot.
struct close {
  std::string why;  ///< for people
  /// The client may still be sending: what comes is dropped until it ends, or for a moment, since an answer is lost
  /// when the socket is closed before that.
  bool linger = false;
};
using any = std::variant<send, fetch, obey, note_refusal, look_for_events, close>;

}  // namespace understudy::internal::http_action
