// Those who wait for a connection, in the order in which they came, each with its own deadline.
#pragma once
#include "understudy/messages/call.hpp"

#include <map>
#include <set>
#include <unordered_map>

namespace understudy::internal {

/// A waiter's number; unique in a pool and ascending, so the lower one came first.
using waiter_id = std::uint64_t;

/// What somebody waits for.
enum class acquire_kind : std::uint8_t {
  shared,  ///< room for one operation on any ordinary connection
  lease,   ///< an ordinary connection of one's own
  bind,    ///< a bind connection, for one bind
  /// A bind connection of one's own. It does not count against `bind_connections`, only as a socket.
  bind_lease,
};

/// Somebody who waits.
struct waiter {
  waiter_id waiter = 0;
  acquire_kind what = acquire_kind::shared;
  time_point since{};
  time_point leave_at{};       ///< when it leaves the queue, whatever happens
  time_point patient_until{};  ///< the same while something is ready here; not before `leave_at`
  time_point gives_up_at{};    ///< its deadline, or the longest wait for a connection: nobody serves it after that
  cancel_token_ptr token;
  std::uint16_t attempts = 0;
  std::string holder;          ///< of a lease, for people
  connection_id reserved = 0;  ///< of a lease: the connection that runs empty for it

  /// Another server may still serve it when it leaves; otherwise it is a pool_timeout.
  bool redispatch_on_leave() const noexcept { return leave_at < gives_up_at; }
};

/// A FIFO of waiters that also finds them by deadline and by cancel token.
class wait_queue {
 public:
  using container = std::map<waiter_id, waiter>;
  using iterator = container::iterator;

  /// Waiter ids must ascend.
  void push(waiter w);
  /// Removes the one at `at`; the next one.
  iterator erase(iterator at);
  iterator begin() noexcept { return waiters_.begin(); }
  iterator end() noexcept { return waiters_.end(); }
  iterator find(waiter_id waiter) { return waiters_.find(waiter); }
  iterator find(const cancel_token* token);
  const container& all() const noexcept { return waiters_; }

  bool empty() const noexcept { return waiters_.empty(); }
  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(waiters_.size()); }
  std::uint32_t leases() const noexcept { return leases_; }
  std::uint32_t shared() const noexcept { return size() - leases_; }
  /// Who came first; time_point::max() when nobody waits.
  time_point oldest() const noexcept;
  /// When the next one has to leave; time_point::max() when nobody waits.
  time_point next_leave() const noexcept;
  /// One whose time is up at `now`, or end().
  iterator overdue(time_point now);
  /// It leaves at `when` instead.
  void postpone(iterator at, time_point when);

 private:
  container waiters_;
  std::set<std::pair<time_point, waiter_id>> leaving_;
  std::unordered_map<const cancel_token*, waiter_id> by_token_;
  std::uint32_t leases_ = 0;
};

}  // namespace understudy::internal
