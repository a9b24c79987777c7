// Routes requests to the servers' pools and keeps one breaker for each server.
#pragma once
#include "understudy/actors/circuit_breaker/fresh_look.hpp"
#include "understudy/actors/circuit_breaker/router.hpp"
#include "understudy/actors/ports/actor_timer.hpp"
#include "understudy/actors/ports/guard.hpp"

#include <caf/typed_event_based_actor.hpp>

namespace understudy::internal {

/// Translates messages to calls on the router and carries out what comes of them.
class circuit_breaker_impl {
 public:
  static constexpr const char* name = "understudy.circuit_breaker";

  circuit_breaker_impl(circuit_breaker_actor::pointer self, environment_ptr env, settings_ptr all,
                       std::vector<routed_server> servers);
  ~circuit_breaker_impl();
  circuit_breaker_impl(const circuit_breaker_impl&) = delete;
  circuit_breaker_impl& operator=(const circuit_breaker_impl&) = delete;

  circuit_breaker_actor::behavior_type make_behavior();

 private:
  /// A request that waits for what a look at the failed servers finds.
  struct held_request {
    caf::mailbox_element_ptr what;
    cancel_token_ptr token;
    time_point until;
  };

  template <class Atom, class Answer, class Message>
  caf::result<Answer> dispatch(Atom atom, Message& message, const selection_query& needs);
  template <class Message>
  failure_ptr cannot_go_on(const Message& message, time_point now) const;
  void look_at_failed(const std::vector<breaker_change>& just_found_out);
  void look_for_others(server_id silent);
  void hurry_suspects();
  bool may_hold(time_point deadline, time_point now) const;
  std::size_t most_held() const;
  void release_held(bool everybody);
  void forward_cancel(const cancel_token_ptr& token);
  pool_actor removed_pool(server_id server) const;
  void take_servers(std::vector<routed_server> servers);
  void remember_removed(const std::vector<routed_server>& next);
  void note_service(const std::vector<breaker_change>& changes);
  void take_monitor(const caf::actor_addr& monitor);
  void on_probe(const probe_report& report);
  void on_report(const outcome_report& report);
  void on_suspect(server_id server);
  void leave_what_is_silent(server_id removed);
  bool note_liveness(server_id server);
  void have_probed(server_id server);
  /// False when it is known to fail, or such a probe is under way.
  bool probe_if_new_suspect(server_id server);
  template <class Change>
  bool change(Change&& how, bool news = false);
  void announce(const breaker_change& c);
  void tell_stand_ins();
  void tell_availability();
  void arm();
  moment now() const { return {env_->clock->now(), env_->clock->wall_now()}; }

  circuit_breaker_actor::pointer self_;
  environment_ptr env_;
  settings_ptr all_;
  router router_;
  availability_log availability_;
  std::vector<routed_server> servers_;            ///< in the router's order
  std::map<server_id, caf::actor_addr> removed_;  ///< pools that still finish what they have
  failure_ptr no_server_reason_;                  ///< what to answer while there are no servers
  caf::actor_addr monitor_;
  stand_ins told_;          ///< to the monitor
  caf::actor_addr finder_;  ///< told when no server can take a request
  bool serving_ = true;     ///< some server could, when it was last looked
  handler_guard guard_;
  actor_timer timer_;
  fresh_look look_;
  std::vector<held_request> held_;  ///< in their order; max_waiters at the most
  std::uint16_t most_attempts_ = 0;
  bool draining_ = false;
};

/// Starts a breaker; `servers` may come later, by message. It holds the pools strongly and the monitor weakly.
circuit_breaker_actor spawn_circuit_breaker(caf::actor_system& system, environment_ptr env, settings_ptr all,
                                            std::vector<routed_server> servers = {});

}  // namespace understudy::internal
