// Root supervisor of one runtime: starts and replaces breaker, pools and monitor, keeps the service's credentials,
// gathers the state of everything, changes the servers while they work, and drains it all in the end.
#pragma once
#include "understudy/actors/connection_manager/credential_service.hpp"
#include "understudy/actors/connection_manager/server_ids.hpp"
#include "understudy/actors/connection_manager/srv_watcher.hpp"
#include "understudy/actors/ports/actor_timer.hpp"
#include "understudy/actors/ports/guard.hpp"

namespace understudy::internal {

/// Translates messages: hands requests on to the breaker or a server's pool, supervises its children.
class connection_manager_impl {
 public:
  static constexpr const char* name = "understudy.connection_manager";

  connection_manager_impl(manager_interface::pointer self, settings_ptr all, environment_ptr env,
                          manager_dependencies parts);
  ~connection_manager_impl();
  connection_manager_impl(const connection_manager_impl&) = delete;
  connection_manager_impl& operator=(const connection_manager_impl&) = delete;

  manager_interface::behavior_type make_behavior();

 private:
  template <class Answer, class... What>
  caf::result<Answer> to_pool(server_id server, errc unknown, What&&... message);
  template <class Answer, class Handle, class... What>
  caf::result<Answer> to_child(const Handle& child, What&&... message);

  // Children.
  void start_children();
  void say_start() const;
  routed_server start_pool(server_context_ptr context);
  std::vector<server_context_ptr> contexts_of(const settings_ptr& all);
  pool_actor pool_of(server_id server) const;
  void introduce_children();
  void on_down(const caf::actor_addr& child);
  void replace(const caf::actor_addr& child);
  void replace_all();
  void give_up();
  void dismiss_children();

  /// Of a request that goes no further.
  static failure refusal(errc code, std::string message);

  // Other settings.
  caf::result<reload_report> reload(const settings_ptr& next, const start_token_ptr& token);
  settings_ptr effective() const;
  reload_report apply(settings_ptr next);
  void let_go(routed_server server);
  void gone(server_id server, bool clean);
  void tell_credentials();

  // Servers from DNS.
  void watch_services();
  void look_up_services();
  void on_services(std::uint64_t number, const service_answer& found);
  void note_services(const srv_watcher::news& news);
  void take_services();
  failure_ptr no_server_reason() const;
  caf::result<circuit_breaker_actor> router();
  void answer_for_router();

  // The end.
  caf::result<bool> drain(time_point deadline);
  void ask_pools_to_drain();
  void pool_drained(std::uint64_t round, bool clean);
  void finish(bool in_time);
  void on_exit(const caf::error& order);

  // The state of everything.
  caf::result<runtime_snapshot> status();

  void on_tick(std::uint64_t timer);
  void say(log_level level, std::string_view text, const log_port::fields& more = {}) const;

  manager_interface::pointer self_;
  settings_ptr configured_;  ///< as given; where DNS lists the servers, one that stands for them
  settings_ptr all_;         ///< with the servers that there are
  environment_ptr env_;
  manager_dependencies parts_;
  handler_guard guard_;
  server_ids server_ids_;
  restart_budget replacements_;
  credential_service credentials_;

  circuit_breaker_actor breaker_;
  health_monitor_actor monitor_;
  std::vector<routed_server> servers_;  ///< in the order of the settings
  std::vector<routed_server> leaving_;  ///< taken out; they finish what they have

  ///@{
  /// What status() told when all children had answered in time.
  std::vector<server_snapshot> last_seen_;
  time_point last_seen_at_{};
  ///@}

  std::optional<srv_watcher> watch_;
  actor_timer watch_timer_;
  std::uint64_t look_up_ = 0;  ///< number of the one that runs
  std::vector<caf::typed_response_promise<circuit_breaker_actor>> asked_for_router_;

  actor_timer drain_timer_;
  bool draining_ = false;
  bool failed_ = false;  ///< drains because children kept ending
  time_point drain_deadline_{};
  std::uint64_t drain_round_ = 0;  ///< answers of an earlier round do not count
  std::size_t pools_draining_ = 0;
  bool clean_ = true;
  std::vector<caf::typed_response_promise<bool>> drained_;
};

/// Starts the root supervisor and, with it, everything below. `connect` makes connections (spawn_connection, or a
/// test's own). Drain it to end it; user_shutdown ends it at once.
connection_manager_actor spawn_connection_manager(caf::actor_system& system, settings_ptr all, environment_ptr env,
                                                  connection_factory connect);
/// The same, made of other parts.
connection_manager_actor spawn_connection_manager(caf::actor_system& system, settings_ptr all, environment_ptr env,
                                                  manager_dependencies parts);

}  // namespace understudy::internal
