// Probes servers on schedule and on demand, and tells the breaker what was found.
#pragma once
#include "understudy/actors/health_monitor/probe_schedule.hpp"
#include "understudy/actors/health_monitor/prober.hpp"
#include "understudy/actors/ports/actor_timer.hpp"
#include "understudy/actors/ports/guard.hpp"

#include <caf/typed_response_promise.hpp>

namespace understudy::internal {

/// Decides when to probe and whom to tell; the prober does the probing.
class health_monitor_impl {
 public:
  static constexpr const char* name = "understudy.health_monitor";

  health_monitor_impl(health_monitor_actor::pointer self, environment_ptr env, settings_ptr all,
                      std::vector<routed_server> servers, connection_factory factory, caf::actor_addr breaker,
                      caf::actor_addr manager);
  health_monitor_impl(const health_monitor_impl&) = delete;
  health_monitor_impl& operator=(const health_monitor_impl&) = delete;

  health_monitor_actor::behavior_type make_behavior();

 private:
  /// One server.
  struct monitored_server {
    routed_server server;
    probe_schedule schedule;
    prober::key session = 0;
    time_point keep_until{};  ///< the standing connection grows too old then
    bool asked = false;       ///< the breaker waits for the running probe
    bool asked_late = false;  ///< … which had begun by then
    prober::key beside = 0;   ///< a probe beside one that hangs
    time_point beside_at{};   ///< none before
  };
  using health_promise = caf::typed_response_promise<std::vector<probe_report>>;
  /// A question for the health of all servers, or whether one serves; of all who ask the same at a time.
  struct round {
    struct part {
      prober::key probe = 0;
      probe_report report;
      int priority = 0;
      bool ended = false;
    };
    std::vector<health_promise> promises;  ///< none: it is over
    std::vector<part> parts;
    time_point conclude_by{};
    std::optional<int> preferred{};            ///< one that is well with this priority is answer enough
    time_point enough_at = time_point::max();  ///< … or any other one from then on
  };
  using round_ptr = std::shared_ptr<round>;

  template <class Body>
  void handle(Body&& body);
  void take_servers(std::vector<routed_server> servers);
  monitored_server* find(server_id server);
  time_point beside_due(const monitored_server& monitored) const;
  void begin_beside(monitored_server& monitored);
  duration time_beside(const monitored_server& monitored) const;
  void on_beside(server_id server, const probe_outcome& found);
  void stop_beside(monitored_server& monitored);
  void begin(monitored_server& monitored, duration within, bool hurried);
  bool replaceable(const monitored_server& monitored) const { return stand_ins_.replace(monitored.server.context->id); }
  duration patience_of(const monitored_server& monitored) const;
  void probe_at_once(server_id server);
  caf::result<std::vector<probe_report>> probe_all(std::optional<int> preferred, time_point deadline);
  round_ptr under_way(std::optional<int> preferred, time_point conclude_by) const;
  void note_round(const round_ptr& asker, std::size_t place, const probe_outcome& found);
  bool knows_enough(const round& asker) const;
  void end_round(const round_ptr& asker);
  void on_breaker(server_id server, breaker_state state);
  void on_outcome(server_id server, const probe_outcome* found);
  void let_go(server_id server);
  void drain();
  void advance();
  void arm();
  time_point now() const { return env_->clock->now(); }

  health_monitor_actor::pointer self_;
  environment_ptr env_;
  settings_ptr all_;
  caf::actor_addr breaker_;
  random_source random_;
  handler_guard guard_;
  prober prober_;
  std::vector<monitored_server> monitored_;
  std::vector<round_ptr> rounds_;
  stand_ins stand_ins_;  ///< as the breaker has it
  actor_timer timer_;
  bool draining_ = false;
};

/// Starts a monitor; `servers` may come later, by message. It holds the pools strongly, breaker and manager weakly.
health_monitor_actor spawn_health_monitor(caf::actor_system& system, environment_ptr env, settings_ptr all,
                                          std::vector<routed_server> servers, connection_factory factory,
                                          caf::actor_addr breaker, caf::actor_addr manager);

}  // namespace understudy::internal
