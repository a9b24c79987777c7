// The queue of those who wait for a connection.
#include "understudy/actors/pool/wait_queue.hpp"

#include <cassert>

namespace understudy::internal {

void wait_queue::push(waiter w) {
  assert(waiters_.empty() || waiters_.rbegin()->first < w.waiter);
  leaving_.emplace(w.leave_at, w.waiter);
  if (w.token) by_token_[w.token.get()] = w.waiter;
  if (w.what == acquire_kind::lease) ++leases_;
  const auto waiter = w.waiter;
  waiters_.emplace_hint(waiters_.end(), waiter, std::move(w));
}

wait_queue::iterator wait_queue::erase(iterator at) {
  const waiter& w = at->second;
  leaving_.erase({w.leave_at, w.waiter});
  if (const auto known = by_token_.find(w.token.get()); known != by_token_.end() && known->second == w.waiter)
    by_token_.erase(known);
  if (w.what == acquire_kind::lease) --leases_;
  return waiters_.erase(at);
}

wait_queue::iterator wait_queue::find(const cancel_token* token) {
  const auto known = by_token_.find(token);
  return known == by_token_.end() ? waiters_.end() : waiters_.find(known->second);
}

time_point wait_queue::oldest() const noexcept {
  return waiters_.empty() ? time_point::max() : waiters_.begin()->second.since;
}

time_point wait_queue::next_leave() const noexcept {
  return leaving_.empty() ? time_point::max() : leaving_.begin()->first;
}

wait_queue::iterator wait_queue::overdue(time_point now) {
  if (leaving_.empty() || leaving_.begin()->first > now) return waiters_.end();
  return waiters_.find(leaving_.begin()->second);
}

void wait_queue::postpone(iterator at, time_point when) {
  waiter& w = at->second;
  leaving_.erase({w.leave_at, w.waiter});
  w.leave_at = when;
  leaving_.emplace(w.leave_at, w.waiter);
}

}  // namespace understudy::internal
