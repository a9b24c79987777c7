// The servers with their breakers, loads and shares: where a request goes, and what its outcome changes.
#pragma once
#include "understudy/actors/circuit_breaker/availability_log.hpp"
#include "understudy/actors/circuit_breaker/breaker.hpp"
#include "understudy/actors/circuit_breaker/failback.hpp"
#include "understudy/actors/circuit_breaker/refusal.hpp"
#include "understudy/actors/circuit_breaker/server_selection.hpp"

namespace understudy::internal {

/// What routing needs to know of a server.
struct server_facts {
  server_id id = 0;
  std::string name;  ///< "host:port"
  std::string host;
  std::uint16_t port = 0;
  int priority = 1;
  int weight = 1;
  bool read_only = false;
  double capacity = 0;                ///< requests that it can carry at once
  duration retry_delay = seconds{1};  ///< until a server to which no connection could be made is tried again
  /// How much longer than others it may take to answer a probe, from what it usually takes; empty: no longer.
  std::function<duration()> slowness{};
  bool global_catalog = false;  ///< takes look-ups alone, and nobody's place
};

struct router_options {
  breaker_options breaker;
  failback_options failback;
  bool spill = false;
  /// False: nobody waits for servers that are known to be down.
  bool wait_for_recovery = true;
};

/// A chosen server and what the request carries with it.
struct route {
  std::size_t index = 0;  ///< in the order of update()
  server_id server = 0;
  std::uint32_t generation = 0;
  bool trial = false;
};

/// A breaker changed its state.
struct breaker_change {
  std::size_t index = 0;
  server_id server = 0;
  breaker_state state = breaker_state::closed;
  breaker_cause cause;
  std::optional<milliseconds> retry_after;
};

/// Pure: time comes in with each call, what is to be told to others waits in take_changes().
class router {
 public:
  router(router_options options, random_source random);

  void configure(const router_options& options);
  /// The servers from now on; those with a known id keep their breaker, load and share. Where no settled one is left
  /// nobody is held down any more.
  void update(std::vector<server_facts> servers, time_point now);
  /// Whether a health monitor answers probes.
  void set_probed(bool probed);

  /// Picks a server and counts the request there; `deadline` bounds a trial's permit.
  std::optional<route> choose(const selection_query& query, time_point deadline, time_point now);
  /// The request will not be sent after all.
  void take_back(const route& chosen);
  /// True when a new request would only find out again that no server can be connected to. It is to be refused instead,
  /// where nobody waits for servers to come back.
  bool known_down(time_point now) const;
  /// Why choose() found nothing, or nothing was to be chosen.
  failure refuse(const selection_query& query, const failure_ptr& last, time_point now) const;

  void on_report(const outcome_report& report, const moment& at);
  /// True when that server is to be probed again: it had little time to answer, and nothing can take its place.
  bool on_probe(const probe_report& report, const moment& at);
  /// True when that server is to be probed at once.
  bool suspect(server_id id, time_point now);
  /// The servers that would take another one's place now: they take requests, and something was heard from them lately.
  stand_ins stand_ins_at(time_point now) const;
  /// True when there is such a server besides `id`.
  bool replaceable(server_id id, time_point now) const { return stand_ins_at(now).replace(id); }
  /// The servers that take no requests because they failed, and did not just begin to: what is known of them may be
  /// old.
  std::vector<server_id> failed_before(time_point now) const;
  /// The servers that are silent, and are being probed for it.
  std::vector<server_id> suspects(time_point now) const;
  /// False: no such server.
  bool suspend(server_id id, duration ttl, const moment& at);
  bool resume(server_id id, const moment& at);

  /// Does what is due.
  void advance(const moment& at);
  /// When advance() has something to do next; time_point::max(): never.
  time_point next_event() const;

  /// The changes since the last call, oldest first.
  std::vector<breaker_change> take_changes();
  /// Every server, the pools' parts empty.
  std::vector<server_snapshot> snapshot(time_point now) const;
  /// Every server, for the log.
  std::vector<server_availability> availability(time_point now) const;
  /// True when some server could take a request now.
  bool any_usable(time_point now) const;
  breaker_state state_of(std::size_t index) const { return servers_.at(index).breaker.state(); }
  /// Where that server stands in the order of update(), if it is known.
  std::optional<std::size_t> index_of(server_id id) const;
  /// The server of that name, if there is one.
  std::optional<server_id> find(const std::string& name) const;

 private:
  struct entry {
    server_facts facts;
    internal::breaker breaker;
    internal::failback failback{};
    double latency = 0;  ///< seconds
    time_point measured_at{};
    double in_flight = 0;
    /// Set when no connection is left there and none could be made: until then nobody needs to try.
    time_point down_until{};
    breaker_cause down_cause{};
    time_point fell_at{};   ///< when it last failed while it served
    time_point ended_at{};  ///< when a connection's end last counted
  };

  template <class Change>
  void change(std::size_t index, const moment& at, Change&& how);
  static void allow_for_slowness(entry& e);
  void end_vain_hold_downs(time_point now);
  void note_transition(std::size_t index, breaker_state before, time_point now);
  /// True when there is a server beside that one that takes all kinds of requests.
  bool has_others(const entry& e) const;
  /// It has answered, takes requests, and has been well for so long that the return of another one may wait.
  static bool settled(const entry& e, time_point now);
  bool any_settled(time_point now) const;
  static bool outdated(const entry& e, time_point now);
  candidate candidate_of(const entry& e, time_point now) const;
  std::vector<candidate> candidates(time_point now) const;
  void fill_candidates(bool anew, time_point now);
  void forget_lost_calls(time_point now);

  router_options options_;
  random_source random_;
  server_selection selection_;
  std::vector<entry> servers_;
  std::vector<candidate> candidates_;  ///< kept to spare allocations
  std::vector<breaker_change> changes_;
  bool probed_ = false;
  time_point halved_at_{};
};

}  // namespace understudy::internal
