// A pool as a state machine: what happened goes in, what to do comes out. No actors, no sockets, no clock of its own.
#pragma once
#include "understudy/actors/pool/actions.hpp"
#include "understudy/actors/pool/connect_backoff.hpp"
#include "understudy/actors/pool/growth_limit.hpp"
#include "understudy/actors/pool/lease_registry.hpp"
#include "understudy/actors/pool/pool_errors.hpp"
#include "understudy/actors/pool/sizing.hpp"
#include "understudy/actors/pool/slots.hpp"
#include "understudy/actors/ports/repeat_limiter.hpp"

#include <functional>
#include <optional>
#include <utility>

namespace understudy::internal {

/// What a pool needs of the world, injected.
struct pool_dependencies {
  random_source random;
  std::function<std::uint64_t()> next_number;  ///< numbers of connections and leases; never 0, never twice the same
  std::function<wall_time()> wall_now;         ///< for people
  /// What an open connection may take for a small answer, from what is usual; zero while nothing is known.
  std::function<duration()> patience = [] { return duration::zero(); };
  /// Every socket takes one; null: nobody else counts them.
  std::shared_ptr<socket_permits> permits = nullptr;
  /// Whether the server answers the requests of one connection one after the other, as far as is known.
  std::function<bool(time_point now)> answers_in_turn = [](time_point) { return false; };
};

/// Somebody asks for a connection.
struct acquire_request {
  acquire_kind what = acquire_kind::shared;
  time_point deadline{};
  cancel_token_ptr token;
  std::uint16_t attempts = 0;
  bool may_wait = true;
  std::string holder;  ///< of a lease
};

/// The connections to one server: who gets which, when to open and close some. Each event may leave actions behind, to
/// be taken with take_actions() and carried out in order; next_event() says when tick() is due.
class pool_state {
 public:
  /// A small read of a connection may take this long, or longer where that is usual.
  static constexpr duration check_time = seconds{5};

  pool_state(pool_policy policy, pool_dependencies world, time_point now);

  /// Opens what is due; nothing happens before.
  void start(time_point now) { settle(now); }
  /// Takes over what is left of `old` after a defect, before start(): connections in `known` finish what they carry and
  /// are replaced, leases stay, counters go on. Who waits is admitted anew by the caller.
  void adopt(const pool_state& old, const std::vector<connection_id>& known, time_point now);

  // Requests.

  /// The quick way for a shared operation: the connection it goes to (counted as handed over), or 0 when it has to be
  /// admitted as a waiter.
  connection_id try_dispatch(time_point now);
  /// Queues it; what becomes of it follows as dispatch, grant, refuse or redispatch (possibly at once).
  waiter_id enqueue(acquire_request request, time_point now);
  /// The caller gave up; true when it waited here (it is refused as cancelled).
  bool cancel(const cancel_token* token, time_point now);
  /// What a caller hears who gave up before anything was done.
  failure_ptr cancelled(time_point now) const { return pool_wait_cancelled(situation(now)); }

  // Leases.

  void claim(lease_id id) { leases_.claim(id); }
  /// Given back: true; lost with its connection before: false; otherwise the failure.
  struct release_outcome {
    bool returned = false;
    failure_ptr unknown;
  };
  release_outcome release(lease_id id, time_point now);
  /// Its holder died, or the grant could not be delivered.
  void take_back(lease_id id, std::string_view why, time_point now);

  // Connections.

  void attach(connection_id id, load_reading meter);
  /// `secret_number`: the service's secret that it is bound with; those bound with an earlier one are replaced,
  /// gradually.
  void on_ready(connection_id id, time_point now, std::uint64_t secret_number = 0);
  /// It never became ready. `cause` null: it had been told to close.
  void on_failed(connection_id id, failure_ptr cause, time_point now);
  /// `cause`: why it is left as unresponsive, if it is.
  void on_draining(connection_id id, const failure_ptr& cause, time_point now);
  /// It was ready and ended. `cause` null: it had been told to close. `broke_protocol`: the server did.
  void on_closed(connection_id id, failure_ptr cause, time_point now, bool broke_protocol = false);
  void on_load(time_point now) { settle(now); }
  void checked(connection_id id, bool works, time_point now);
  /// Ready connections that can be validated now; each is read from before `deadline`.
  std::vector<connection_id> ask_all(time_point deadline);

  // The world.

  void on_breaker(breaker_state state, time_point now);
  /// One socket for a probe; false when none is free.
  bool take_probe_slot(time_point now);
  void give_probe_slot(time_point now);
  /// Closes idle connections above the minimum; how many.
  std::uint32_t cleanup(time_point now);
  /// Other settings from now on. `renew`: connections opened so far were made with other values than now; each is
  /// replaced when a new one is ready.
  void reconfigure(pool_policy policy, bool renew, time_point now);
  /// connect() was called: the next connect is tried at once, also after a loss without auto_reconnect.
  void resume(time_point now);
  void drain(time_point deadline, time_point now);
  /// The server is no longer one of ours: a drain that sends who waits, and what comes late, to another one.
  void leave(time_point deadline, time_point now);
  void tick(time_point now);

  std::vector<pool_action::any> take_actions() { return std::exchange(actions_, {}); }
  bool has_actions() const noexcept { return !actions_.empty(); }
  time_point next_event() const;
  pool_counts counts(time_point now) const;
  pool_snapshot snapshot(time_point now) const;
  const pool_policy& policy() const noexcept { return policy_; }

 private:
  using queue_position = wait_queue::iterator;

  // After every event, and serving those who wait.
  void settle(time_point now);
  void leave_overdue(connection_kind kind, time_point now);
  time_point silent_from() const noexcept;
  void leave_silent(time_point now);
  void watch_for_silence(time_point now);
  void note_silence(time_point now);
  void serve_pooled(time_point now);
  void serve_binds(time_point now);
  bool serve_shared(queue_position at, time_point now);
  enum class lease_service : std::uint8_t { served, waits, blocks };
  lease_service serve_lease(queue_position at, time_point now);
  lease_service serve_reserved(queue_position at, slot& own, time_point now);
  slot* reservation_after(queue_position at, time_point now);
  slot* empty_one_after(queue_position at);
  void note_opened_for(const waiter& w, const slot& s);
  void mark_dispatched(slot& s, time_point now);
  void grant(wait_queue& q, queue_position at, slot& s, time_point now);
  void reserve(queue_position at, slot& s, time_point now);
  void unreserve(slot& s, time_point now);
  queue_position refuse(wait_queue& queue, queue_position at, failure_ptr why, time_point now);
  queue_position send_away(wait_queue& queue, queue_position at, failure_ptr cause, bool counted, time_point now);
  void send_all_away(wait_queue& queue, const failure_ptr& cause, bool counted, time_point now);
  failure_ptr reason_to_refuse(const acquire_request& request, time_point now);
  failure_ptr refused_credentials(connection_kind kind, time_point now) const;
  std::uint32_t waiters_for_first(acquire_kind kind, time_point now);
  bool lease_may_wait(time_point now) const;
  void end_lease(const lease_record& ended, std::string_view how, time_point now);

  // Connections come and go.
  void renew_all_before(std::uint64_t secret_number, time_point now);
  void note_worth(const slot& s, bool broke_protocol, time_point now);
  void note_lost_requests(const slot& s, const failure_ptr& cause, time_point now);
  void take_check(slot& s, bool works, time_point now);
  void retire(slot& s, time_point now);
  void close(slot& s, time_point now);
  void close_silent(time_point now);
  void drop(connection_id id);
  void lose_lease_of(slot& s, const failure_ptr& cause, time_point now);
  void note_loss(const failure_ptr& cause, time_point now);
  /// A round of connects failed. While others answer, that is a limit of their number; until one of them has answered,
  /// it is not known which of the two it is.
  struct failed_round {
    connection_kind kind = connection_kind::pooled;
    failure_class what = failure_class::transport;
    failure_ptr cause;
    bool growth = true;       ///< it was to be one more than were known to be possible
    connection_id asked = 0;  ///< the open connection that is checked
    int asked_before = 0;
  };
  void after_failed_round(failed_round round, time_point now);
  void conclude(const failed_round& round, bool others_answer, time_point now);
  bool ask_another(failed_round& round, time_point now);
  bool another_under_way(time_point now) const noexcept;
  time_point check_deadline(time_point now) const;
  void meet_limit(const failed_round& round, time_point now);
  connect_backoff& rounds(connection_kind kind) { return kind == connection_kind::bind ? bind_rounds_ : rounds_; }
  const connect_backoff& rounds(connection_kind kind) const {
    return kind == connection_kind::bind ? bind_rounds_ : rounds_;
  }
  wait_queue& queue(connection_kind kind) { return kind == connection_kind::bind ? binds_ : pooled_; }

  // How many there should be.
  void reconcile(time_point now);
  void reconcile_binds(const slot_counts& c, time_point now);
  void reconcile_pooled(slot_counts c, time_point now);
  /// The minimum is wanted at once, and was never reached yet.
  bool first_filling() const noexcept { return policy_.preload && !filled_; }
  std::uint32_t floor(time_point now) const noexcept;
  std::uint32_t pooled_ceiling(const slot_counts& c, time_point now) const noexcept;
  std::uint32_t pooled_target(const slot_counts& c, std::uint32_t ceiling, time_point now) const noexcept;
  std::uint32_t width(const slot_counts& c, time_point now) const noexcept;
  bool breaker_lets_through() const noexcept;
  /// Sockets of this pool, a probe's included.
  std::uint32_t sockets() const noexcept { return slots_.size() + probe_slots(); }
  /// What is permitted, by the settings and by the budget that nodes share.
  std::uint32_t permitted() const noexcept;
  /// `tries`: whoever asks can wait for a connect that may well fail; else only what is known to be had.
  std::uint32_t most_sockets(bool tries, time_point now) const noexcept {
    return std::min(permitted(), tries ? growth_.most(now) : growth_.certain());
  }
  bool socket_is_free(bool tries, time_point now) const noexcept { return sockets() < most_sockets(tries, now); }
  bool may_grow(time_point now) const;
  bool open_one(connection_kind kind, time_point now);
  void pass_by_hanging(connection_kind kind, bool has_room, time_point now);
  void replace_overtaken(time_point now);
  void replace_expired(const slot_counts& c, std::uint32_t target, time_point now);
  void retire_expired(connection_kind kind, time_point now);
  void make_room(connection_kind needy, const slot_counts& c, time_point now);
  bool ask_for_probe_slot(time_point now);
  std::uint32_t probe_slots() const noexcept { return static_cast<std::uint32_t>(probes_.size()); }
  /// Nothing when no permit is to be had; an empty one where none is needed.
  std::optional<socket_permit> take_permit() const;
  void tell_demand(time_point now);
  void keep_to_permits(time_point now);
  void wake_at(time_point when) { wake_ = std::min(wake_, when); }

  // On the tick.
  void housekeeping(time_point now);
  void note_use(time_point now);
  std::uint32_t shrink(duration idle_for, time_point now);
  void validate_idle(time_point now);
  void doubt_idle(const slot& unresponsive, const failure_ptr& cause, time_point now);
  void watch_over(time_point now);
  void report_leaks(time_point now);
  void proceed_with_drain(time_point now);
  void cut_off(time_point now);
  void finish_drain(bool clean);

  // Other settings.
  void renew_all(time_point now);
  void trim(time_point now);
  void trim(connection_kind kind, std::uint32_t surplus, time_point now);

  slot* gathering(time_point now) noexcept;
  pool_situation situation(time_point now) const { return {policy_, counts(now), last_}; }
  void note(log_level level, std::string text, std::string_view component = "pool");

  pool_policy policy_;
  pool_dependencies dependencies_;
  slot_table slots_;
  wait_queue pooled_, binds_;
  lease_registry leases_;
  connect_backoff rounds_, bind_rounds_;
  growth_limit growth_;
  std::optional<failed_round> doubt_;  ///< not judged yet
  std::vector<pool_action::any> actions_;
  pool_snapshot totals_;  ///< its monotonic counters only
  pool_cause last_;
  failure_ptr credential_refusal_;   ///< while the last failed round was the service's own bind
  failure_ptr lost_;                 ///< why there is no connection, while none is made until connect() is called
  std::uint64_t newest_secret_ = 0;  ///< of the service, that a connection here is bound with
  breaker_state breaker_ = breaker_state::closed;
  waiter_id last_waiter_ = 0;
  std::uint64_t turns_ = 0;
  connection_id gathers_ = 0;          ///< took the latest request that came without waiting …
  std::uint32_t gathered_ = 0;         ///< … and so many, each a moment after the other
  std::vector<socket_permit> probes_;  ///< one for each socket that the monitor has
  time_point probe_since_{};           ///< when the latest was taken
  bool awaits_another_ = false;        ///< a refused round is not judged before the end of what was under way beside it
  time_point slot_asked_at_{};         ///< of the monitor, back
  int in_vain_ = 0;                    ///< connects that failed in room that was made for them, since one became ready
  time_point no_room_before_{};        ///< is made: it would be in vain
  bool filled_ = false;                ///< the minimum was reached once
  time_point background_at_{};         ///< no background connect before
  /// Set-ups begun before this are overtaken: the server has answered one that was begun then, or is known to be well.
  time_point overtaken_before_{};
  time_point warm_until_{};                       ///< of a standby: it keeps its minimum until then
  std::optional<time_point> requests_lost_at_{};  ///< the latest time, with a connection
  time_point housekeeping_at_{};
  time_point crowd_check_at_{};
  time_point wake_ = time_point::max();  ///< when sizing wants to look again
  bool said_silent_ = false;             ///< to the breaker; it waits to hear that one is ready
  bool said_none_left_ = false;          ///< the same
  repeat_limiter loss_warnings_;         ///< of leases
  time_point said_silent_at_{};          ///< the latest time
  /// The first of those who waited while nothing was ready, since the server has last shown life.
  std::optional<time_point> waited_since_;
  bool freed_ = false;  ///< a reservation was given up since waiters were last looked at
  bool draining_ = false, leaving_ = false, cut_ = false, drained_ = false;
  time_point drain_deadline_ = time_point::max();
};

}  // namespace understudy::internal
