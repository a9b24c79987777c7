// The connections of a pool as it sees them: one slot a socket, with its state and load.
#pragma once
#include "understudy/actors/pool/wait_queue.hpp"
#include "understudy/actors/ports/socket_permits.hpp"
#include "understudy/messages/event.hpp"

#include <memory>
#include <unordered_map>

namespace understudy::internal {

/// Where a connection's load can be read and asked for without a message (connection_load). Shared with the connection.
struct load_reading {
  std::shared_ptr<const std::atomic<std::uint64_t>> completed;
  std::shared_ptr<std::atomic<bool>> wanted;
  std::shared_ptr<const std::atomic<bool>> silent = nullptr;
  std::shared_ptr<const std::atomic<bool>> held_up = nullptr;
  std::shared_ptr<const std::atomic<time_point>> awaited_since = nullptr;
  std::shared_ptr<const std::atomic<bool>> reader_behind = nullptr;
};

enum class slot_state : std::uint8_t {
  connecting,  ///< not ready yet
  ready,       ///< takes shared operations (or, of kind bind, a bind)
  reserved,    ///< takes nothing new: a lease gets it once it has run empty
  leased,      ///< somebody's own
  resetting,   ///< returned; taking the service's identity again
  draining,    ///< takes nothing new, finishes what runs, closes
  closing,     ///< told to close
};

/// One connection.
struct slot {
  connection_id id = 0;
  connection_kind kind = connection_kind::pooled;
  slot_state state = slot_state::connecting;
  load_reading meter;
  socket_permit permit;             ///< shared with the connection, which may have its socket for longer
  std::uint64_t dispatched = 0;     ///< operations handed to it, on the scale of meter.completed
  std::uint64_t round = 0;          ///< of connects, in which it was opened
  std::uint64_t secret_number = 0;  ///< of the service, that it is bound with; a later one has a higher number
  std::uint64_t last_turn = 0;      ///< ascends with each use: the most recently used idle one is used first
  time_point changed{};             ///< when it entered its state
  time_point ready_since{};         ///< when its set-up was complete
  time_point last_used{};           ///< when it was last seen with something to do
  time_point dispatched_at{};       ///< when the latest operation was handed to it, or the lease granted
  time_point validated{};           ///< when it was last found to work
  time_point expires = time_point::max();
  waiter_id ready_after = 0;   ///< the latest waiter when its set-up was complete
  waiter_id reserved_for = 0;  ///< the waiter that gets it when it has run empty
  lease_id leased_as = 0;
  /// It was asked whether it works, while it had nothing else to do or by a probe of a server that fails: until then
  /// its silence says nothing more.
  time_point asked_until{};
  bool was_ready = false;
  bool retiring = false;  ///< closes when its lease ends
  bool checking = false;  ///< it is being validated: takes nothing new until it has answered

  /// Operations that it has completed.
  std::uint64_t completed() const noexcept { return meter.completed ? meter.completed->load() : 0; }
  /// Shared operations handed over and not completed.
  std::uint32_t load() const noexcept;
  /// True while the connection itself can be relied on: it has been ready and nobody told it to go.
  bool alive() const noexcept {
    return state == slot_state::ready || state == slot_state::reserved || state == slot_state::leased ||
           state == slot_state::resetting;
  }
  /// True while another operation or lease may be given to it.
  bool takes_new() const noexcept { return state == slot_state::ready && !checking && !reader_behind(); }
  /// True while it waits for whoever reads what it relays.
  bool reader_behind() const noexcept { return meter.reader_behind != nullptr && meter.reader_behind->load(); }
  /// True while what it carries goes unanswered for longer than is usual.
  bool silent() const noexcept { return meter.silent != nullptr && meter.silent->load(); }
  /// True while it waits for something of ours.
  bool held_up() const noexcept { return meter.held_up != nullptr && meter.held_up->load(); }
  /// Since when its server owes it the next step of its set-up; max() while it does not.
  time_point awaited_since() const noexcept {
    return meter.awaited_since != nullptr ? meter.awaited_since->load() : time_point::max();
  }
  /// Asks to be told when something completes. False when that has just happened (look again instead).
  bool ask_for_load() const noexcept;
  void enter(slot_state next, time_point now) noexcept;
};

/// How many slots are in which state.
struct slot_counts {
  std::uint32_t sockets = 0;     ///< all
  std::uint32_t connecting = 0;  ///< ordinary ones, as all below
  std::uint32_t ready = 0;
  std::uint32_t idle = 0;      ///< of ready: nothing in flight
  std::uint32_t checking = 0;  ///< of ready: being validated
  std::uint32_t behind = 0;    ///< of ready: its reader is behind, and it is not being validated
  std::uint32_t reserved = 0;
  std::uint32_t leased = 0;
  std::uint32_t resetting = 0;
  std::uint32_t expired = 0;  ///< of ready
  std::uint32_t leaving = 0;  ///< of every kind: draining or closing
  std::uint32_t in_flight = 0;
  std::uint32_t bind_connecting = 0;
  std::uint32_t bind_ready = 0;
  std::uint32_t bind_busy = 0;     ///< of bind_ready
  std::uint32_t bind_expired = 0;  ///< of bind_ready
  std::uint32_t bind_leased = 0;   ///< or being reset after that

  std::uint32_t occupied() const noexcept { return reserved + leased + resetting; }
  std::uint32_t alive() const noexcept { return ready + occupied(); }
  /// Sockets of every kind that reached the server.
  std::uint32_t established() const noexcept { return sockets - connecting - bind_connecting; }
  std::uint32_t pooled() const noexcept { return alive() + connecting; }
  std::uint32_t binds() const noexcept { return bind_ready + bind_connecting; }
};

/// All slots, found by number. References stay valid until their slot is erased.
class slot_table {
 public:
  using container = std::unordered_map<connection_id, slot>;

  slot& add(slot s);
  void erase(connection_id id);
  slot* find(connection_id id) noexcept;
  const slot* find(connection_id id) const noexcept;
  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(slots_.size()); }
  container::iterator begin() noexcept { return slots_.begin(); }
  container::iterator end() noexcept { return slots_.end(); }
  container::const_iterator begin() const noexcept { return slots_.begin(); }
  container::const_iterator end() const noexcept { return slots_.end(); }

  slot_counts count(time_point now) const noexcept;
  /// The ready connection of `kind` with the least load below `room`; among equals the most recently used. Of a large
  /// table only so many candidates are compared that the search stays short. Null when all are full.
  slot* least_loaded(connection_kind kind, std::uint32_t room) noexcept;
  /// The ready connection of `kind` that was used longest ago, null when there is none; `idle_only`: among those that
  /// carry nothing.
  slot* least_recently_used(connection_kind kind, bool idle_only) noexcept;
  /// The ready connection of `kind` whose lifetime ended first, null when that of none has by `now`.
  slot* first_expired(connection_kind kind, time_point now) noexcept;
  /// The open connection of either kind that is most likely to answer soon, null when none is.
  slot* witness() noexcept;

  /// True when no connection of `kind` serves. What leaves unanswered what it carries is as good as none; a bind
  /// connection also when that is its first bind.
  bool none_ready(connection_kind kind) const noexcept;
  bool none_ready() const noexcept { return none_ready(connection_kind::pooled) && none_ready(connection_kind::bind); }
  /// True when some connections of `kind` are being set up, and all those wait for something of ours.
  bool held_up(connection_kind kind) const noexcept;
  /// Since when the server owes a step to some set-up; time_point::max() while it owes none.
  time_point owed_since() const noexcept;
  /// Asks each ready connection of `kind` to say when something completes. True when that has just happened somewhere:
  /// look again instead.
  bool ask_for_load(connection_kind kind) const noexcept;

 private:
  container slots_;
  std::vector<slot*> order_;  ///< the same, where a scan is cheap
};

}  // namespace understudy::internal
