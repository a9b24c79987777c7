// A monitor between servers made for the test: connections that behave as the test says, pools that count sockets.
#pragma once
#include "support/print.hpp"
#include "support/virtual_runtime.hpp"
#include "understudy/actors/health_monitor/health_monitor_actor.hpp"

#include <caf/typed_response_promise.hpp>

namespace understudy::test {

using namespace internal;

/// One server as probes see it, with its pool.
struct played_server {
  enum class manner { works, refuses, hangs };
  manner connects = manner::works;
  manner answers = manner::works;
  failure_ptr connect_error;  ///< of refuses

  int free_slots = 50;
  int slots_asked = 0;
  int slots_out = 0;
  int pool_checks = 0;
  pool_health pool_found;
  pool_actor pool;

  int opened = 0;
  int checks = 0;
  std::vector<connection_spec> specs;
  std::vector<connection_actor> connections;  ///< that were not removed yet
};

struct monitor_fixture : virtual_runtime {
  explicit monitor_fixture(std::size_t servers = 2, int max_connections = 50);
  ~monitor_fixture();

  /// Starts the monitor; before that the settings may be changed.
  void start_monitor() { start_monitor_of(table()); }
  void start_monitor_of(std::vector<routed_server> monitored);
  void tell_servers();
  /// The connection says so of itself.
  void happens(const connection_spec& spec, connection_event::kind kind, failure_ptr cause = nullptr);
  /// Ends the newest connection to that server, as the server closing it would.
  void cut(server_id server);
  /// Reports that the breaker got of that server.
  std::vector<probe_report> told(server_id server) const;
  /// That server's breaker has another state. Those that are closed would replace another one.
  void breaker_says(server_id server, breaker_state state);
  std::vector<routed_server> table() const;

  settings all;
  std::vector<std::shared_ptr<played_server>> servers;
  std::vector<breaker_state> states;  ///< of their breakers
  std::shared_ptr<std::vector<probe_report>> reports = std::make_shared<std::vector<probe_report>>();
  circuit_breaker_actor breaker;
  health_monitor_actor monitor;
};

/// One server, in a pool so small that a probe of its own would take too much.
struct one_socket : monitor_fixture {
  one_socket() : monitor_fixture(1, 1) {}
};

}  // namespace understudy::test
