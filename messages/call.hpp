// A request on its way between actors: the payload, its one deadline, its cancel token and where it has been.
#pragma once
#include "understudy/messages/answer_meter.hpp"
#include "understudy/messages/error.hpp"
#include "understudy/messages/result.hpp"
#include "understudy/messages/snapshot.hpp"

#include <atomic>
#include <optional>

namespace understudy {

/// A server's place in the runtime's server table; stable for the runtime's life.
using server_id = std::uint32_t;
/// A connection's number; unique in a runtime, never reused, 0 is none.
using connection_id = std::uint64_t;
/// A lease's number; unique in a runtime, never reused, 0 is none.
using lease_id = std::uint64_t;

/// Set once by the caller who gives up; every hop checks it. Hops note where the request rests, so that the `cancel`
/// message that follows the flag finds it: a hop notes its place first and looks at the flag afterwards.
class cancel_token {
 public:
  /// By the caller, before the `cancel` message.
  void cancel() noexcept { cancelled_.store(true); }
  /// True once the caller has given up.
  bool cancelled() const noexcept { return cancelled_.load(); }

  /// By a hop: where the request is now; `connection` 0: with the pool.
  void rest_at(server_id server, connection_id connection) noexcept {
    server_.store(server);
    connection_.store(connection);
  }
  /// Where it was last.
  server_id server() const noexcept { return server_.load(); }
  /// Where it was last; 0: with the pool.
  connection_id connection() const noexcept { return connection_.load(); }

 private:
  std::atomic<bool> cancelled_{false};
  std::atomic<server_id> server_{0};
  std::atomic<connection_id> connection_{0};
};
/// Shared by the caller and every hop.
using cancel_token_ptr = std::shared_ptr<cancel_token>;

/// Settles who is first: the one who carries something out, or the one who gives up waiting for that.
class start_token {
 public:
  /// By who carries it out: true when nobody has given up; from then on nobody can.
  bool begin() noexcept { return decide(begun); }
  /// By who waits: true when it has not begun and never will.
  bool give_up() noexcept { return decide(given_up); }

 private:
  static constexpr int begun = 1, given_up = 2;
  bool decide(int outcome) noexcept {
    int undecided = 0;
    return state_.compare_exchange_strong(undecided, outcome) || undecided == outcome;
  }
  std::atomic<int> state_{0};
};
/// Shared by who waits and who carries it out.
using start_token_ptr = std::shared_ptr<start_token>;

/// The servers a call has been to; a preference, so ids beyond 63 may share a bit.
class server_set {
 public:
  /// Adds a server.
  void insert(server_id id) noexcept { bits_ |= bit(id); }
  /// True for what was added, and for ids that share its bit.
  bool contains(server_id id) const noexcept { return (bits_ & bit(id)) != 0; }
  /// True when nothing was added.
  bool empty() const noexcept { return bits_ == 0; }

 private:
  static std::uint64_t bit(server_id id) noexcept { return std::uint64_t{1} << (id % 64); }
  std::uint64_t bits_ = 0;
};

/// What travels from hop to hop; cheap to copy, the payload is shared.
struct call {
  request_ptr what;              ///< shared, immutable
  time_point deadline{};         ///< of all of it: waiting, connecting, the operation, retries
  cancel_token_ptr token;        ///< may be null
  std::uint16_t attempts = 0;    ///< redispatches so far; at most `max_retries`
  server_set tried;              ///< servers it should not go to again while others can take it
  std::uint32_t generation = 0;  ///< of the chosen server's breaker; results of an earlier one do not count
  bool trial = false;            ///< holds a half-open permit: its outcome is reported at once
  failure_ptr last;              ///< why it was redispatched
  /// Of an opaque search: its answer goes part by part to the sender (relay_reader_actor), under that number of its
  /// own. 0: all at once.
  std::uint64_t parts = 0;
  bool parts_sent = false;  ///< some of them were sent: nothing can repeat it any more
  /// Bytes of memory that an answer which comes all at once may take: what whoever asks can pass on. 0, and more than
  /// that: `limits.max_result_bytes`.
  std::uint32_t most_answer_bytes = 0;
  /// Counts the answer's bytes, when it comes all at once; may be null. Where it has no room for more, the operation is
  /// given up with `queue_full`.
  metered_answer_ptr metered = {};
  /// The server that is to take it while it is well; nothing: any.
  std::optional<server_id> preferred;
};

/// Asks for a connection of one's own.
struct lease_request {
  time_point deadline{};               ///< of the wait
  cancel_token_ptr token;              ///< may be null
  std::string holder;                  ///< who, for the leak report
  bool wait = true;                    ///< false: `pool_exhausted` when none is free and none may be opened
  bool anew = false;                   ///< from connect(): a server that is known to be down is tried all the same
  std::optional<server_id> preferred;  ///< as in call
  /// For somebody who is to bind as himself: a bind connection. Others have bound there before: he has to bind first.
  bool for_bind = false;
  std::uint16_t attempts = 0;    ///< as in call
  server_set tried;              ///< as in call
  std::uint32_t generation = 0;  ///< as in call
  bool trial = false;            ///< as in call
  failure_ptr last;              ///< as in call
};

}  // namespace understudy
