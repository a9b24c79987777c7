// Carries out what probe sessions want: sockets from the pool, connections, checks; and takes them the answers.
#pragma once
#include "understudy/actors/health_monitor/probe_session.hpp"
#include "understudy/actors/ports/ports.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <map>

namespace understudy::internal {

/// The hands of the health monitor; lives in its actor and is called from its handlers only.
class prober {
 public:
  using key = std::uint64_t;  ///< of a session; never 0
  /// Told the end of a probe; or null: the standing connection was lost.
  using listener = std::function<void(const probe_outcome*)>;
  /// Runs what an answer sets off, as a handler of the actor.
  using runner = std::function<void(const std::function<void()>&)>;

  prober(health_monitor_actor::pointer self, environment_ptr env, runner handle, connection_factory factory,
         caf::actor_addr breaker, caf::actor_addr manager);

  /// A session for `server`. `once`: it is forgotten after its probe.
  key add(const routed_server& server, bool once, listener told);
  void update(key k, const routed_server& server) { hosts_.at(k).server = server; }
  const probe_session& session(key k) const { return hosts_.at(k).session; }

  /// Starts a probe, or makes the running one conclude by `deadline`.
  void begin(key k, time_point deadline, const probe_mode& mode);
  /// Closes the standing connection, or the running probe's when that is over.
  void retire(key k);
  /// Ends the session's probe without a report and closes its connection. `for_good`: forgets the session afterwards.
  void stop(key k, bool for_good);
  void stop_all();

  void on_event(const connection_event& event);
  void on_down(const caf::actor_addr& gone);
  /// Concludes what is overdue.
  void advance();
  /// When advance() has something to do next; time_point::max(): never.
  time_point next_deadline() const;

 private:
  /// A session and the connection that it speaks of.
  struct host {
    probe_session session;
    routed_server server;
    bool once = false;
    listener told;
    connection_actor connection{};
    connection_id number = 0;
    connection_load_ptr load{};  ///< of the connection
  };

  std::vector<key> keys() const;
  probe_wait awaited_by(const host& h) const;
  void sweep();
  template <class Step>
  void step(key k, Step&& how);
  void carry_out(key k, const probe_action& action);
  void ask_slot(key k, const host& h);
  void open(key k, host& h);
  void close(key k, const host& h);
  void forget(host& h);
  void check(key k, const host& h, const probe_action& action);
  void check_pool(key k, const host& h, const probe_action& action);
  void ask_steps(key k, const host& h, const probe_action& action);
  time_point now() const { return env_->clock->now(); }

  health_monitor_actor::pointer self_;
  environment_ptr env_;
  runner handle_;
  connection_factory factory_;
  caf::actor_addr breaker_, manager_;
  std::map<key, host> hosts_;
  key last_key_ = 0;
};

}  // namespace understudy::internal
