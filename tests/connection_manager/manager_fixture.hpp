// A manager with children made for the test: they note what they are told and answer as the test says.
#pragma once
#include "support/virtual_runtime.hpp"
#include "understudy/actors/connection_manager/connection_manager_actor.hpp"

#include <caf/typed_event_based_actor.hpp>

namespace understudy::test {

using namespace internal;

/// How a child answers, and what it was told: "breaker: suspend 0 5" …
struct script {
  std::vector<std::string> told;
  bool mute_status = false;  ///< never answers status
  enum class drain_mode { clean, cut_off, mute } drain = drain_mode::clean;
  int started = 0;
  std::vector<routed_server> table;  ///< the breaker's
  caf::actor_addr monitor;           ///< as the breaker knows it
  caf::actor_addr finder;            ///< whom it tells that no server is left
  failure_ptr no_server_reason;      ///< what it answers while there is no server
  server_context_ptr context;        ///< a pool's, as it was told last
  /// Of a mute pool: its drains; told `(load_atom, n)` it answers the n-th with true.
  std::vector<caf::typed_response_promise<bool>> drains;
};

class scripted_children {
 public:
  script breaker, monitor;
  std::map<server_id, script> pools;
  std::map<server_id, pool_actor> running;  ///< the latest pool of each server
  health_monitor_actor running_monitor;

  manager_dependencies parts(secret_reader read) {
    manager_dependencies p;
    p.breaker = [this](caf::actor_system& system) {
      ++breaker.started;
      return system.spawn(fake_breaker, this);
    };
    p.pool = [this](caf::actor_system& system, const server_context_ptr& context, const caf::actor_addr&,
                    const caf::actor_addr&) {
      ++pools[context->id].started;
      running[context->id] = system.spawn(fake_pool, this, context->id);
      return running[context->id];
    };
    p.monitor = [this](caf::actor_system& system, const std::vector<routed_server>&, const caf::actor_addr&,
                       const caf::actor_addr&) {
      ++monitor.started;
      running_monitor = system.spawn(fake_monitor, this);
      return running_monitor;
    };
    p.read_secret = std::move(read);
    return p;
  }

  void let_go() {
    running.clear();
    running_monitor = nullptr;
    breaker.table.clear();
    for (auto& [id, p] : pools) {
      p.drains.clear();
      p.context = nullptr;
    }
  }

 private:
  static circuit_breaker_actor::behavior_type fake_breaker(circuit_breaker_actor::pointer self, scripted_children* all);
  static pool_actor::behavior_type fake_pool(pool_actor::pointer self, scripted_children* all, server_id id);
  static health_monitor_actor::behavior_type fake_monitor(health_monitor_actor::pointer self, scripted_children* all);
};

struct manager_fixture : virtual_runtime {
  explicit manager_fixture(std::size_t servers = 2);
  ~manager_fixture();

  void start();
  /// Ends a child as a defect would.
  template <class Handle>
  void crash(const Handle& child) {
    caf::anon_send_exit(child, caf::exit_reason::kill);
    run();
  }

  settings all;
  scripted_children children;
  std::map<std::string, std::string> secrets;  ///< by path
  connection_manager_actor manager;
};

}  // namespace understudy::test
