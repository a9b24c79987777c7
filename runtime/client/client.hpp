// The one bridge from threads to actors: requests go out, each comes back exactly once, whatever happens in between.
#pragma once
#include "understudy/actors/ports/request_permits.hpp"
#include "understudy/runtime/client/ask.hpp"
#include "understudy/runtime/lease.hpp"
#include "understudy/runtime/platform/fork_detector.hpp"

#include <caf/actor_cast.hpp>
#include <caf/mailbox_element.hpp>

#include <map>

namespace understudy::internal {

class completion_delivery;
class stream_buffer;

/// Sends requests of threads to actors and settles them. Takes one permit of `limits.max_requests` a request, keeps its
/// deadline even if actors lose it, counts it once, maps every error of CAF. Thread-safe. Waiting on a thread that is
/// just running somebody's completion is refused (`invalid_request`): it would wait for itself.
class runtime_client : public std::enable_shared_from_this<runtime_client> {
 public:
  runtime_client(caf::actor_system& system, environment_ptr env, const settings& all);
  ~runtime_client();

  /// Where requests go, and who is told about leases; once, before the first request.
  void connect_to(circuit_breaker_actor router, connection_manager_actor manager);

  outcome perform(request_ptr request, const call_options& options);
  void start(request_ptr request, completion done, const call_options& options, executor where);

  /// A connection of one's own, claimed as soon as it is granted.
  answer<lease> acquire(const lease_options& options);
  /// The same for connect(): servers that are known to be down are tried too, at once. `attempts`: of the redispatches
  /// that it may take, how many count as used up already.
  answer<lease> acquire_anew(const lease_options& options, std::uint16_t attempts);
  /// The same, of a server not in `tried` if there is one.
  answer<lease> acquire_elsewhere(const lease_options& options, server_set tried);
  /// connect() was called: what is not reconnected of itself is connected again.
  void resume();
  /// A lease that was not granted, or a connect that failed, is counted as a failed operation.
  void count_failed(const failure_ptr& why, duration took);
  /// Has the manager take over other (valid) settings. When it has not begun to within `timeout`, it never will:
  /// operation_timeout.
  answer<reload_report> reload(settings_ptr next, duration timeout);
  /// Tells the breaker what was found of a server.
  void tell(const probe_report& found);
  /// Gives it back: true; false when that was done already; `invalid_lease` when it was taken back or is another's.
  answer<bool> give_back(lease& connection);
  /// State of a leased connection.
  answer<connection_snapshot> inspect(const lease& connection, duration timeout);
  /// A small read on a leased connection.
  answer<probe_report> check(const lease& connection, duration timeout);

  /// Asks any actor of the runtime and waits for `timeout` at most.
  template <class T, class Handle, class... Ts>
  answer<T> ask(const Handle& whom, duration timeout, Ts... xs) {
    if (auto why = cannot_wait()) return {std::nullopt, why};
    timeout = as_limit(timeout);
    auto reply = std::make_shared<reply_waiter<answer<T>>>();
    auto asked = std::make_shared<typed_pending_request<T>>(env_->clock->now() + timeout,
                                                            [reply](answer<T> a) { reply->set(std::move(a)); });
    if (auto id = replies_->note(asked))
      caf::actor_cast<caf::strong_actor_ptr>(whom)->enqueue(
          caf::make_mailbox_element(replies_.actor, *id, {}, std::move(xs)...), nullptr);
    if (auto got = reply->wait_out(timeout, spin_limiter_)) return std::move(*got);
    return {std::nullopt, lost_answer()};
  }

  /// True in a process forked from the one that made this: nothing here works, and no lock may be taken.
  bool forked() const noexcept;
  /// From now on requests are refused with `draining`.
  void drain() { draining_ = true; }
  /// The router ended: what comes goes through the manager, which knows its successor.
  void router_ended() { router_ended_ = true; }
  /// Settles all that wait, and all that come, with `why`; leases become invalid. May be repeated, the first reason
  /// stays.
  void close(failure_ptr why = not_running());
  bool closed() const { return replies_->closed() != nullptr; }

  /// Other defaults and attempts for requests from now on; `limits.max_requests` stays.
  void configure(const settings& all);

  /// Permits taken.
  std::uint64_t in_flight() const noexcept { return permits_->taken(); }
  /// Of `limits.max_requests`, for others who send requests.
  const std::shared_ptr<request_permits>& permits() const noexcept { return permits_; }
  /// When the last request succeeded.
  std::optional<wall_time> last_success() const;

 private:
  friend class understudy::lease;
  friend class lease_handle;
  friend class understudy::search_stream;
  friend class understudy::paged_search;
  class client_request;
  /// Where an operation goes: the router, or a leased connection.
  struct route {
    caf::strong_actor_ptr to;
    lease_id lease = 0;
    std::string server;
    bool awaited = false;  ///< its completion only hands the outcome to whoever waits: it may run anywhere
  };

  answer<lease> acquire(const lease_options& options, lease_request ask_for);
  /// For a search that has until `deadline`, the wait for its lease included.
  answer<lease> acquire_until(time_point deadline);
  /// Never zero, which would mean the default: what is over is refused all the same.
  duration left_until(time_point deadline) const;
  outcome perform_on(route to, request_ptr request, const call_options& options);
  void start_on(route to, request_ptr request, completion_delivery done, const call_options& options,
                std::shared_ptr<stream_buffer> parts = nullptr);
  /// Tells a request that was not sent. Throws queue_full, and does not, when too many of those wait to be told.
  void refuse(completion_delivery done, failure_ptr why) const;
  /// Where requests go that are for no lease.
  caf::strong_actor_ptr first_hop() const;
  /// Why nothing can be sent now, or null.
  failure_ptr refusal() const;
  /// Why this thread must not wait, or null.
  failure_ptr cannot_wait() const;
  static failure_ptr lost_answer();
  bool take_permit();
  void finished(const failure_ptr& why, duration took);
  time_point deadline_after(duration timeout, duration fallback) const;
  /// Of an operation.
  time_point deadline_of(duration timeout) const { return deadline_after(timeout, live_.operation_timeout); }
  lease hold(const lease_grant& grant);
  void forget(lease_id id);
  /// Ends a lease without waiting for the pool's word.
  void let_go(lease::state& held);
  void send_release(const lease::state& held);

  /// What a reload may change while requests read it.
  struct live_settings {
    std::atomic<duration> operation_timeout{}, pool_timeout{}, reconnect_delay{}, recovery_delay{};
    std::atomic<std::int64_t> max_result_bytes{0};
    std::atomic<int> reconnect_attempts{0}, recovery_attempts{0};
    std::atomic<bool> auto_reconnect{true}, auto_recovery{true};
  };
  recovery_settings recovery() const;

  environment_ptr env_;
  live_settings live_;
  const std::shared_ptr<request_permits> permits_;
  pending_replies_handle replies_;
  circuit_breaker_actor router_;
  connection_manager_actor manager_;
  fork_detector fork_detector_;
  spin_limiter spin_limiter_;
  std::atomic<bool> draining_{false}, router_ended_{false};
  std::atomic<wall_time::rep> last_success_{0};
  std::mutex leases_mutex_;
  std::map<lease_id, std::weak_ptr<lease::state>> leases_;
};

}  // namespace understudy::internal
