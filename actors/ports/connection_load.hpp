// What a connection and its pool tell each other without a message.
#pragma once
#include "understudy/messages/time.hpp"

#include <atomic>
#include <cstdint>
#include <memory>

namespace understudy {

/// How loaded a connection is, readable by its pool without a message. The connection counts; the pool sets `wanted`
/// when it has a waiter for it, looks at `completed` once more, and is then told by one `load` message.
struct connection_load {
  std::atomic<std::uint64_t> completed{0};  ///< requests answered, failed or redispatched
  /// Requests are in flight and nothing was heard for `suspect_after`: ended by the pool when the breaker is not
  /// closed.
  std::atomic<bool> silent{false};
  std::atomic<bool> wanted{false};  ///< the pool waits to be told
  /// Who reads an answer that it relays is far behind: it takes nothing new.
  std::atomic<bool> reader_behind{false};
  /// It waits, or waited noticeably while it was set up, for something of ours (the bind lockout guard, a name
  /// look-up): that it is not ready yet says nothing about its server.
  std::atomic<bool> held_up{false};
  /// It waits for the bind lockout guard at this moment.
  std::atomic<bool> awaits_credential{false};
  /// While it is set up: since when its server owes it something; max() while it does not.
  std::atomic<time_point> awaited_since{time_point::max()};
};
/// Shared by a connection and its owner.
using connection_load_ptr = std::shared_ptr<connection_load>;

}  // namespace understudy
