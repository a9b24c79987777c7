// The runtime for those who speak to actors: start it in an actor system of their own, or in one that it owns.
#pragma once
#include "understudy/actors/ports/ports.hpp"
#include "understudy/messages/runtime_event.hpp"
#include "understudy/runtime/answer.hpp"
#include "understudy/runtime/lookups.hpp"
#include "understudy/runtime/remote_nodes.hpp"

#include <caf/fwd.hpp>

namespace understudy::internal {
class runtime_client;
class metrics_registry;
class node_service;
class front_door_service;
class http_service;
}  // namespace understudy::internal

namespace understudy {

/// Spawns the root supervisor; tests pass their own.
using manager_factory =
    std::function<connection_manager_actor(caf::actor_system&, settings_ptr, environment_ptr, connection_factory)>;

/// What clients with the permission "admin" may have the process of a node do. Begins it and returns why it cannot be
/// begun, or null; on a thread of the runtime, so it must not wait. Empty: such a request is refused.
struct node_orders {
  std::function<failure_ptr()> reload;  ///< read the settings again
  std::function<failure_ptr()> drain;   ///< drain, and end
};

/// What a service may choose about its runtime; everything has a default.
struct runtime_options {
  /// Threads that run actors, in a system that the runtime owns; 0: one a core, four at most.
  std::size_t threads = 0;
  connection_factory connections;  ///< how connections are made; tests pass their own
  manager_factory manager;         ///< how the root supervisor is made; tests pass their own
  /// In place of the system's resolver.
  name_lookups lookups;
  /// Told the log's lines instead of `settings.log`'s file.
  log_listener on_log;
  /// Told what happens, on the log's thread.
  event_listener on_event;
  /// Counts on where an earlier runtime of the same service ended.
  std::shared_ptr<internal::metrics_registry> metrics;
  /// Lets clients and other nodes in where `[[node.listeners]]` says. Without it nobody comes in: a program that only
  /// reads the same file listens nowhere.
  std::optional<node_orders> serve_nodes;
  /// Lets LDAP clients in where `[[front_door.listeners]]` says; else nobody comes in there.
  bool serve_clients = false;
  /// Shows health, metrics and the console where `[http]` says; takes `serve_nodes`' orders there. Else nowhere.
  bool serve_http = false;
  /// Nodes that requests go to, in place of the settings' servers; router() and manager() speak for the one that is
  /// linked. `connections` and `manager` are of no use then.
  std::optional<remote_nodes> nodes;
};

/// Beside configure() (messages/type_ids.hpp): prepares the configuration of an actor system whose runtimes are clients
/// of nodes. Loads CAF's network layer, which listens nowhere, and has it send heartbeats.
void configure_for_nodes(caf::actor_system_config& config);

/// Everything that runs for one set of servers: actors, poller, workers, log. Threads start in the constructor and have
/// ended when stop() returns; no signal handler is touched, no global state kept. In a process forked from its own it
/// does nothing but say so (`stopped`). Thread-safe.
class runtime {
 public:
  /// In an actor system of its own. Where DNS lists the servers (ldap.srv), its first answer is waited for, for up to
  /// 5 s.
  explicit runtime(settings_ptr all, runtime_options options = {});
  /// In `system`, which must outlive it; configure() (messages/type_ids.hpp) has prepared its configuration, and
  /// configure_for_nodes() where there are nodes, on either side. Throws config_error when nodes cannot be dialled as
  /// they are given.
  runtime(caf::actor_system& system, settings_ptr all, runtime_options options = {});
  /// Stops with `limits.drain_timeout`. On a thread of its own (in a completion, an executor, a log listener, a look-up
  /// or a password callback) it only begins to, as stop() does.
  ~runtime();
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Refuses new requests, lets those under way finish for at most `drain`, closes everything, joins the threads; takes
  /// about two seconds more when something hangs. True when nothing had to be cut off. May be repeated: who comes later
  /// waits for the first.
  ///
  /// On a thread of the runtime itself it cannot wait for that thread: it refuses new requests, leaves the rest to a
  /// thread that ends with it, and returns false. An actor system that is not its own must outlive that: call it again
  /// outside.
  bool stop(duration drain);

  /// Where its actors live.
  caf::actor_system& system() const noexcept;
  /// The root supervisor.
  const connection_manager_actor& manager() const noexcept;
  /// Where requests are sent; stays the same unless that actor ends and is replaced.
  const circuit_breaker_actor& router() const noexcept;
  /// Its ports.
  const environment_ptr& env() const noexcept;
  /// As they count now.
  settings_ptr all() const;
  /// The bridge that the facade uses; no part of the API.
  internal::runtime_client& client() const noexcept;
  /// What listens for clients and other nodes; null: nothing does.
  internal::node_service* nodes() const noexcept;
  /// Where clients and other nodes come in, with the ports that the system chose; none: nowhere
  /// (runtime_options::serve_nodes, `[[node.listeners]]`).
  std::vector<std::string> node_addresses() const;
  /// What listens for LDAP clients; null: nothing does.
  internal::front_door_service* front_door() const noexcept;
  /// What shows health, metrics and the console; null: nothing does.
  internal::http_service* http() const noexcept;

  /// Other settings from now on: servers are added, taken out (what runs there is finished within
  /// `limits.drain_timeout`) and changed, connections that were made with other values are replaced one by one, no
  /// request is lost. Options that take a restart keep their value and are named in the report. Throws config_error
  /// with every problem when the settings cannot work, and changes nothing then. Fails when the runtime is stopping,
  /// and when it has not begun within `timeout`: the settings stay as they are then.
  answer<reload_report> reload(settings next, duration timeout = seconds{5});
  /// The servers now, with their numbers; fails when the manager does not answer within `timeout`.
  answer<std::vector<server_context_ptr>> servers(duration timeout = seconds{2}) const;

  /// The state of everything, with the counters of requests; fails when the manager does not answer within `timeout`.
  answer<runtime_snapshot> snapshot(duration timeout = seconds{2}) const;
  /// The last events after number `after`, 256 at the most, in order. Never waits.
  std::vector<runtime_event> events(std::uint64_t after = 0) const;

 private:
  struct parts;
  void start(runtime_options options);
  bool owned_by_this_process() const;

  std::shared_ptr<parts> parts_;
};

}  // namespace understudy
