// Starts and stops everything that runs: see runtime.hpp.
#include "understudy/runtime/runtime.hpp"

#include "understudy/actors/front_door/client_registry.hpp"
#include "understudy/actors/front_door/proxied_authorization.hpp"
#include "understudy/actors/metrics/operation_tap.hpp"
#include "understudy/actors/metrics/registry.hpp"
#include "understudy/actors/node/remote_manager.hpp"
#include "understudy/config/load.hpp"
#include "understudy/config/reload.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/client/default_factories.hpp"
#include "understudy/runtime/client/node_targets.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/runtime/http/http_service.hpp"
#include "understudy/runtime/platform/caf_thread_scope.hpp"
#include "understudy/runtime/platform/callback_thread.hpp"
#include "understudy/runtime/platform/custom_resolver.hpp"
#include "understudy/runtime/platform/epoll_poller.hpp"
#include "understudy/runtime/platform/fork_detector.hpp"
#include "understudy/runtime/platform/front_door_service.hpp"
#include "understudy/runtime/platform/listener.hpp"
#include "understudy/runtime/platform/log_sink.hpp"
#include "understudy/runtime/platform/node_connecting.hpp"
#include "understudy/runtime/platform/node_service.hpp"
#include "understudy/runtime/platform/resolver.hpp"
#include "understudy/runtime/platform/signal_masked_thread.hpp"
#include "understudy/runtime/platform/system_clock.hpp"
#include "understudy/runtime/platform/thread_reserve.hpp"
#include "understudy/runtime/platform/worker_threads.hpp"

#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>

#include <random>

namespace understudy {

using namespace internal;
namespace {

// The manager waits for the first answer of DNS for 5 s at most.
constexpr seconds router_timeout{10};
// How long actors may take to end once told, commands that are being ended (with their grace), and look-ups, which
// cannot be.
constexpr seconds ending_patience{1};
constexpr seconds links_patience{2};
// A directory that says nothing for so long is asked again by each client that binds.
constexpr seconds offer_timeout{3};
constexpr milliseconds command_patience{500};
constexpr milliseconds look_up_patience{100};

// A link without a byte for three of these is given up (node_link_limits::silence).
constexpr seconds heartbeat{5};

struct own_config : caf::actor_system_config {
  own_config(std::size_t threads, std::optional<duration> beat) {
    configure(*this);
    if (beat) configure_nodes(*this, *beat);
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", threads);
  }
};

std::size_t default_threads() { return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 4); }

// Beside its workers an actor system has a timer and a printer, and we have the poller, the log and a worker.
constexpr std::size_t threads_of_caf = 2, threads_of_ours = 3, threads_of_nodes = 1;

bool serves_nodes(const settings& all, const runtime_options& options) {
  return options.serve_nodes && !all.node.listeners.empty();
}

/// How often what crosses between nodes shows that we live; nothing: there are no nodes.
std::optional<duration> beat_of(const settings& all, const runtime_options& options) {
  if (options.nodes) return heartbeat_for(options.nodes->silence);
  return serves_nodes(all, options) ? std::optional<duration>{heartbeat} : std::nullopt;
}

/// Adds what the manager does not know.
void complete(runtime_snapshot& state, const environment& env, const runtime_client& client) {
  env.metrics->fill(state, env.clock->now());
  state.requests_in_flight = client.in_flight();
}

void require_threads(std::size_t count) {
  if (auto why = refused_threads(count)) throw_failure(std::move(why));
}

/// The number of a process that begins then: higher than an earlier one's, unless the clock was put back meanwhile.
std::uint64_t incarnation_at(wall_time now) {
  const auto since = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
  return static_cast<std::uint64_t>(std::max<std::int64_t>(since.count(), 1));
}

std::uint64_t random_seed() {
  std::random_device source;
  return (std::uint64_t{source()} << 32) | source();
}

}  // namespace

/// All that a runtime holds, in the order of construction.
struct runtime::parts {
  fork_detector home;
  settings_ptr all;
  std::unique_ptr<own_config> config;
  std::unique_ptr<caf::actor_system> own_system;
  caf::actor_system* system = nullptr;
  const std::shared_ptr<event_history> events = std::make_shared<event_history>();
  std::shared_ptr<log_sink> log;
  std::shared_ptr<epoll_poller> poller;
  std::shared_ptr<worker_threads> workers, look_ups;
  environment_ptr env;
  std::shared_ptr<node_links> links;         // of a client of nodes
  std::shared_ptr<node_cluster> cluster;     // of a node that shares with others
  std::shared_ptr<client_registry> clients;  // of one that serves clients
  std::shared_ptr<node_clients> linked;      // of one that serves nodes
  std::shared_ptr<runtime_client> client;
  connection_manager_actor manager;
  circuit_breaker_actor router;
  std::unique_ptr<node_service> nodes;             // since its start, when it serves any
  std::unique_ptr<front_door_service> front_door;  // since its start, when it serves clients
  std::unique_ptr<http_service> http;              // since its start, when it shows anything
  bool may_serve_nodes = false;
  std::mutex nodes_mutex;  // of what changes them
  std::shared_ptr<reply_waiter<bool>> manager_ended = std::make_shared<reply_waiter<bool>>();
  std::mutex stopping;
  bool stopped = false;          // guarded by `stopping`
  std::timed_mutex reloading;    // one at a time
  mutable std::mutex all_mutex;  // of `all`

  settings_ptr settings_now() const {
    std::lock_guard guard{all_mutex};
    return all;
  }

  void make_environment(runtime_options& options) {
    auto e = std::make_shared<environment>();
    e->clock = std::make_shared<system_clock>();
    e->poller = poller = std::make_shared<epoll_poller>(*system);
    e->workers = workers = std::make_shared<worker_threads>();
    // Their own threads: a name server that hangs must not hold up passwords.
    look_ups = std::make_shared<worker_threads>();
    e->resolver = std::make_shared<name_resolver>(*system, e->clock, e->poller, look_ups,
                                                  address_lookup(std::move(options.lookups.addresses)),
                                                  srv_lookup(std::move(options.lookups.services)));
    e->log = log = std::make_shared<log_sink>(all->log, std::move(options.on_log), events, std::move(options.on_event));
    e->metrics = options.metrics ? std::move(options.metrics) : std::make_shared<metrics_registry>();
    e->metrics->enable(all->pool.enable_metrics);
    if (options.serve_clients) e->clients = clients = std::make_shared<client_registry>(e->clock);
    e->tap = std::make_shared<operation_tap>();
    e->seed = random_seed();
    // Who only reads the file of a node is no part of its cluster.
    if (serves_nodes(*all, options)) {
      e->cluster = cluster = make_cluster(*all, e->clock, incarnation_at(e->clock->wall_now()));
      e->node_clients = linked = std::make_shared<node_clients>();
    }
    env = std::move(e);
  }

  /// Has a manager that asks nodes.
  void link_nodes(runtime_options& options) {
    if (!options.nodes) return;
    auto dialled = connector_options(*options.nodes);
    if (!has_nodes(*system))
      throw_failure(make_failure(errc::invalid_config, stage::connect,
                                 "This actor system has no network layer, so it cannot reach nodes; prepare its "
                                 "configuration with configure_for_nodes()."));
    node_links_options limits;
    limits.limits.silence = options.nodes->silence;
    links = std::make_shared<node_links>(*system, env, std::move(limits));
    // Whatever was begun may end later than this: it keeps its links.
    auto begin = keeping(links, connecting_over(*system, env, *links, std::move(dialled)));
    options.manager = [begin = std::move(begin)](caf::actor_system& in, settings_ptr settings, environment_ptr with,
                                                 const connection_factory&) {
      return spawn_remote_manager(in, std::move(settings), std::move(with), begin);
    };
  }

  void spawn_actors(runtime_options& options) {
    auto connections = options.connections ? std::move(options.connections) : default_connections();
    auto make_manager = options.manager ? std::move(options.manager) : default_manager();
    manager = make_manager(*system, all, env, std::move(connections));
    caf::actor_cast<caf::strong_actor_ptr>(manager)->get()->attach_functor(
        [ended = manager_ended, waiting = std::weak_ptr{client}](const caf::error& why) {
          if (why == caf::make_error(errc::internal))
            if (auto there = waiting.lock()) there->close(given_up());
          ended->set(true);
        });
    auto found = client->ask<circuit_breaker_actor>(manager, router_timeout, router_atom_v);
    if (!found) throw_failure(found.error);
    router = std::move(*found.value);
    client->connect_to(router, manager);
    caf::actor_cast<caf::strong_actor_ptr>(router)->get()->attach_functor(
        [waiting = std::weak_ptr{client}](const caf::error&) {
          if (auto there = waiting.lock()) there->router_ended();
        });
  }

  void serve_nodes(runtime_options& options) try {
    may_serve_nodes = options.serve_nodes.has_value();
    if (!serves_nodes(*all, options)) return;
    if (!has_nodes(*system))
      throw listener_error("this actor system cannot serve nodes: load caf::io::middleman in its configuration");
    nodes = std::make_unique<node_service>(
        *system,
        node_service::dependencies{env, router, manager, std::move(options.serve_nodes->reload),
                                   std::move(options.serve_nodes->drain), all->pool.enable_compression, cluster, linked,
                                   leases_of_a_client(*all)},
        all->node);
  } catch (const listener_error& e) {
    throw_failure(cannot_listen(e.what()));
  }

  void serve_http(const runtime_options& options) try {
    if (!options.serve_http || all->http.listen.empty()) return;
    http_service::dependencies with{env, manager, events, [env = env, client = std::weak_ptr{client}](auto& state) {
                                      if (const auto there = client.lock()) complete(state, *env, *there);
                                    }};
    if (options.serve_nodes) {
      with.reload = options.serve_nodes->reload;
      with.drain = options.serve_nodes->drain;
    }
    http = std::make_unique<http_service>(*system, std::move(with), *all);
  } catch (const listener_error& e) {
    throw_failure(cannot_listen(e.what()));
  }

  void serve_clients(const runtime_options& options) try {
    if (!options.serve_clients) return;
    const auto ask = [asked = std::weak_ptr{client}, to = router, clock = env->clock]() -> std::optional<bool> {
      const auto there = asked.lock();
      if (!there) return std::nullopt;
      call order;
      order.what = make_request(proxied_authorization_search());
      order.deadline = clock->now() + offer_timeout;
      const auto got = there->ask<result_ptr>(to, offer_timeout + ending_patience, perform_atom_v, std::move(order));
      return got ? std::optional{offers_proxied_authorization(**got.value)} : std::nullopt;
    };
    front_door = std::make_unique<front_door_service>(
        *system, front_door_service::dependencies{env, router, manager, clients, client->permits(), ask}, *all);
  } catch (const listener_error& e) {
    throw_failure(cannot_listen(e.what()));
  }

  /// What listens, as it is to be; null: it stays as it is.
  std::unique_ptr<node_service::change> prepare_nodes(const node_settings& next, std::vector<std::string>& restart) {
    const std::lock_guard one_at_a_time{nodes_mutex};
    if (nodes) {
      restart = nodes->needs_restart(next);
      return nodes->prepare(next);
    }
    // CAF's network layer is there from the start or not at all.
    if (may_serve_nodes && !next.listeners.empty()) restart.emplace_back("node.listeners");
    return nullptr;
  }

  /// A reload and a stop may come at the same time.
  template <class Change>
  void change_nodes(Change change) {
    const std::lock_guard one_at_a_time{nodes_mutex};
    if (nodes) change(*nodes);
  }

  bool drain(duration span) {
    change_nodes([](node_service& service) { service.drain(); });
    if (front_door) front_door->drain();
    if (http) http->drain();
    client->drain();
    span = as_limit(span);
    auto deadline = env->clock->now() + span;
    auto drained = client->ask<bool>(manager, span + ending_patience, drain_atom_v, deadline);
    return drained && *drained.value;
  }

  void end_actors() {
    if (!manager) return;
    if (!manager_ended->wait(ending_patience)) {
      env->log->write(log_level::error, "runtime", "the connection manager did not end in time and is ended by force");
      caf::anon_send_exit(manager, caf::exit_reason::kill);
      manager_ended->wait(ending_patience);
    }
  }

  // Before the actor system goes: it waits without end for a peer that is stopped.
  bool end_links() {
    if (!links) return true;
    const bool ended = links->close(links_patience);
    if (!ended) env->log->write(log_level::error, "runtime", "links to nodes are left that do not end");
    links = nullptr;
    return ended;
  }

  // An actor system waits for its last actor without end; we do not.
  bool own_system_is_empty() const {
    auto& registry = own_system->registry();
    auto until = std::chrono::steady_clock::now() + ending_patience;
    while (registry.running() > 0) {
      if (std::chrono::steady_clock::now() >= until) return false;
      std::this_thread::sleep_for(milliseconds{1});
    }
    return true;
  }

  void end_own_system(bool links_ended) {
    if (!own_system) return;
    if (!own_system_is_empty() || !links_ended) {
      env->log->write(log_level::error, "runtime", "actors are left that do not end; their threads are given up",
                      {{"actors", std::to_string(own_system->registry().running())}});
      // Destroying it would hang, or take the ground from under those actors.
      static_cast<void>(own_system.release());
      static_cast<void>(config.release());
      return;
    }
    // Its thread may still be in the last turn of an actor that has just ended.
    poller->stop();
    own_system.reset();
  }

  bool stop(duration span) {
    std::lock_guard one_at_a_time{stopping};
    if (std::exchange(stopped, true)) return true;
    bool clean = manager ? drain(span) : true;
    change_nodes([&](node_service& service) { clean = service.close(ending_patience) && clean; });
    if (front_door) clean = front_door->close(ending_patience) && clean;
    if (http) clean = http->close(ending_patience) && clean;
    client->close();
    end_actors();
    end_own_system(end_links());
    poller->stop();
    const bool read = workers->stop(command_patience);
    if (!look_ups->stop(look_up_patience) || !read)
      log->write(log_level::warning, "runtime", "a password callback or name look-up hangs and is left behind");
    log->stop();
    return clean;
  }
};

namespace {

/// A line for everything that works and protects less than it seems to.
void warn_of(const settings& all, log_port& log) {
  for (const auto& each : warnings(all)) log.write(log_level::warning, "config", describe(each));
}

/// The same for what changes nothing here.
void warn_of_compression(const settings& all, bool nodes, log_port& log) {
  if (all.pool.enable_compression && !nodes)
    log.write(log_level::warning, "config",
              "pool.enable_compression: is for links between nodes, and there is none here; connections to a directory "
              "are never compressed");
}

}  // namespace

void configure_for_nodes(caf::actor_system_config& config) { configure_nodes(config, node_heartbeat); }

runtime::runtime(settings_ptr all, runtime_options options) : parts_(std::make_shared<parts>()) {
  parts_->all = std::move(all);
  const caf_thread_scope at_the_end;
  {
    // CAF's threads inherit it: the signals of the host program are not for them.
    signals_blocked blocked;
    const auto threads = options.threads > 0 ? options.threads : default_threads();
    const auto beat = beat_of(*parts_->all, options);
    require_threads(threads + threads_of_caf + threads_of_ours + (beat ? threads_of_nodes : 0));
    parts_->config = std::make_unique<own_config>(threads, beat);
    parts_->own_system = std::make_unique<caf::actor_system>(*parts_->config);
  }
  parts_->system = parts_->own_system.get();
  start(std::move(options));
}

runtime::runtime(caf::actor_system& system, settings_ptr all, runtime_options options)
    : parts_(std::make_shared<parts>()) {
  parts_->all = std::move(all);
  parts_->system = &system;
  require_threads(threads_of_ours);
  start(std::move(options));
}

void runtime::start(runtime_options options) {
  parts_->make_environment(options);
  warn_of(*parts_->all, *parts_->log);
  warn_of_compression(*parts_->all, options.nodes || serves_nodes(*parts_->all, options), *parts_->log);
  parts_->client = std::make_shared<runtime_client>(*parts_->system, parts_->env, *parts_->all);
  try {
    parts_->link_nodes(options);
    parts_->spawn_actors(options);
    parts_->serve_http(options);  // it shares the orders that nodes take
    parts_->serve_nodes(options);
    parts_->serve_clients(options);
  } catch (...) {
    parts_->stop(duration::zero());
    throw;
  }
}

bool runtime::owned_by_this_process() const { return parts_->home.here(); }

runtime::~runtime() {
  if (owned_by_this_process()) {
    stop(all()->limits.drain_timeout);
    return;
  }
  // A forked child has a copy of everything but the threads: nothing can be joined or told to end here, and a polite
  // unbind would end the parent's connections.
  static_cast<void>(new std::shared_ptr<parts>(std::move(parts_)));
}

bool runtime::stop(duration drain) {
  if (!owned_by_this_process()) return false;
  if (callback_thread::may_wait_for_the_end()) return parts_->stop(drain);
  if (parts_->client) parts_->client->drain();
  // It holds the parts, so that nothing is lost when this object goes at once.
  finish_elsewhere([all = parts_, drain] { all->stop(drain); });
  return false;
}

caf::actor_system& runtime::system() const noexcept { return *parts_->system; }
const connection_manager_actor& runtime::manager() const noexcept { return parts_->manager; }
const circuit_breaker_actor& runtime::router() const noexcept { return parts_->router; }
const environment_ptr& runtime::env() const noexcept { return parts_->env; }
settings_ptr runtime::all() const { return parts_->settings_now(); }
runtime_client& runtime::client() const noexcept { return *parts_->client; }
node_service* runtime::nodes() const noexcept { return parts_->nodes.get(); }
std::vector<std::string> runtime::node_addresses() const {
  std::vector<std::string> all;
  if (const auto* there = nodes())
    for (const auto& place : there->places()) all.push_back(place.address);
  return all;
}
front_door_service* runtime::front_door() const noexcept { return parts_->front_door.get(); }
http_service* runtime::http() const noexcept { return parts_->http.get(); }

answer<reload_report> runtime::reload(settings next, duration timeout) {
  const auto until = std::chrono::steady_clock::now() + as_limit(timeout);
  next = checked(std::move(next));
  std::unique_lock one_at_a_time{parts_->reloading, until};
  if (!one_at_a_time)
    return {std::nullopt,
            make_failure(errc::operation_timeout, stage::queue,
                         "another change of the settings is under way; they stay as that one makes them")};
  std::vector<std::string> nodes_need_restart;
  std::unique_ptr<node_service::change> listeners;
  std::shared_ptr<front_door_service::change> doors;
  try {
    listeners = parts_->prepare_nodes(next.node, nodes_need_restart);
    if (parts_->front_door) {
      for (auto& key : parts_->front_door->needs_restart(next)) nodes_need_restart.push_back(std::move(key));
      doors = parts_->front_door->prepare(next);
    }
  } catch (const std::exception& e) {
    return {std::nullopt, cannot_listen(e.what())};
  }
  auto given = std::make_shared<const settings>(std::move(next));
  auto done = parts_->client->reload(given, until - std::chrono::steady_clock::now());
  if (!done) return done;
  std::vector<std::string> named_already;
  auto merged = std::make_shared<const settings>(keep_unreloadable(*all(), *given, named_already));
  if (listeners) parts_->change_nodes([&](node_service& nodes) { nodes.apply(std::move(listeners)); });
  parts_->change_nodes([&](node_service& nodes) { nodes.set_most_leases(leases_of_a_client(*merged)); });
  if (doors) parts_->front_door->apply(doors);
  if (!nodes_need_restart.empty()) {
    parts_->log->write(log_level::warning, "runtime", "some of the settings take a restart",
                       {{"needs_restart", joined(nodes_need_restart, ", ")}});
    done.value->needs_restart.insert(done.value->needs_restart.end(), nodes_need_restart.begin(),
                                     nodes_need_restart.end());
  }
  parts_->client->configure(*merged);
  if (parts_->http) parts_->http->configure(*merged);
  parts_->log->set_level(merged->log.level);
  warn_of(*merged, *parts_->log);
  {
    std::lock_guard guard{parts_->all_mutex};
    parts_->all = std::move(merged);
  }
  return done;
}

answer<std::vector<server_context_ptr>> runtime::servers(duration timeout) const {
  auto table = parts_->client->ask<std::vector<routed_server>>(parts_->manager, timeout, servers_atom_v);
  if (!table) return {std::nullopt, table.error};
  std::vector<server_context_ptr> found;
  for (auto& server : *table.value) found.push_back(std::move(server.context));
  return {std::move(found), nullptr};
}

answer<runtime_snapshot> runtime::snapshot(duration timeout) const {
  auto got = parts_->client->ask<runtime_snapshot>(parts_->manager, timeout, status_atom_v);
  if (!got) return got;
  complete(*got.value, *parts_->env, *parts_->client);
  return got;
}

std::vector<runtime_event> runtime::events(std::uint64_t after) const { return parts_->events->since(after); }

}  // namespace understudy
