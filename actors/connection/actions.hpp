// What a connection decides to do: plain values that its actor carries out in order.
#pragma once
#include "understudy/config/settings.hpp"
#include "understudy/messages/event.hpp"
#include "understudy/messages/result.hpp"
#include "understudy/messages/time.hpp"

#include <variant>

namespace understudy::internal {

/// The actor's number for somebody who waits for an answer; never 0.
using reply_id = std::uint64_t;

}  // namespace understudy::internal

namespace understudy::internal::connection_action {

// Setting up.

/// Look the server's name up; the answer goes to connection_state::on_resolved().
struct resolve {
  time_point deadline{};
};
/// Dial that address: connection_state::reached() or dial_failed() tells what became of it.
struct dial {
  std::size_t number = 0;
  socket_address to;
};
/// Give up that address, or all that are being dialled.
struct hang_up {
  std::optional<std::size_t> number;
};
/// Begin the TLS handshake on that socket.
struct shake_hands {
  std::uint64_t socket = 0;
};
/// Ask for the service's credentials: on_credential(), no_credential() or nobody_knows_credentials() answers.
struct ask_for_credential {
  std::uint64_t socket = 0;
};
/// What became of a bind with a credential.
struct report_verdict {
  credential_verdict verdict;
};
/// It became ready for the first time.
struct established {
  duration took{};
};

// Answers.

/// Somebody's answer.
struct deliver {
  reply_id to = 0;
  result_ptr answer;
};
/// Somebody is answered with a failure.
struct refuse {
  reply_id to = 0;
  failure_ptr why;
};
/// Somebody's request goes back to the breaker, to be sent elsewhere.
struct redispatch {
  reply_id to = 0;
  call order;
};
/// The answer to a check.
struct checked {
  reply_id to = 0;
  probe_report report;
};

// Streams.

/// Who waits for that answer is sent entries, and cancels the stream by ending.
struct watch_consumer {
  reply_id of = 0;
};
/// The stream that was opened last is over.
struct unwatch_consumer {};
/// For that consumer, of its stream of that number.
struct batch {
  std::uint64_t number = 0;
  search_batch entries;
};

/// For whoever waits for that answer, under the number that it was given there.
struct part {
  reply_id of = 0;
  std::uint64_t number = 0;
  relayed_part what;
};

// Others are told.

/// The breaker.
struct report {
  outcome_report outcomes;
};
/// The breaker: have the server probed.
struct suspect {};
/// The owner.
struct tell_owner {
  connection_event event;
};
/// The owner asked to be told when something completed.
struct tell_load {};
/// Look at the socket again, behind what others have to do.
struct read_on {};
/// For the counters.
struct count_protocol_error {};
/// A line for the log.
struct note {
  log_level level = log_level::debug;
  const char* text = "";
  failure_ptr cause;
};

using any = std::variant<resolve, dial, hang_up, shake_hands, ask_for_credential, report_verdict, established, deliver,
                         refuse, redispatch, checked, watch_consumer, unwatch_consumer, batch, part, report, suspect,
                         tell_owner, tell_load, read_on, count_protocol_error, note>;

}  // namespace understudy::internal::connection_action
