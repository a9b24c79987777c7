// What stands behind a connection_manager: its settings, the runtime while it is connected, the watch on thresholds.
#pragma once
#include "understudy/runtime/client/alert_story.hpp"
#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/client/failures.hpp"
#include "understudy/runtime/client/performance.hpp"
#include "understudy/runtime/client/recent_connects.hpp"
#include "understudy/runtime/client/thresholds.hpp"
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/runtime/platform/fork_detector.hpp"
#include "understudy/runtime/platform/periodic_thread.hpp"
#include "understudy/runtime/runtime.hpp"

namespace understudy {

using namespace internal;

/// What is asked of our own actors, and not of a server, takes so long at the most.
inline constexpr seconds actor_timeout{2};

/// Thread-safe.
struct connection_manager::state : std::enable_shared_from_this<state> {
  /// Throws config_error when the settings cannot work. `nodes`: in place of their servers.
  explicit state(settings s, std::optional<remote_nodes> nodes = {});
  state(const state&) = delete;
  state& operator=(const state&) = delete;

  /// The settings that count now, as they were given.
  settings_ptr all() const;
  reload_report reload(settings next, duration timeout);

  void set_lookups(name_lookups lookups);
  void set_log(log_listener to);
  void set_events(event_listener to);
  /// From the next start on: clients and other nodes come in where the settings say.
  void serve_nodes(node_orders orders);
  /// Nothing more is told to a listener whose call has not begun.
  void mute_log() noexcept { *muted_ = true; }
  /// Starts the runtime unless it runs; throws what starting threads and opening the log may throw.
  std::shared_ptr<runtime> start();
  /// The runtime, or null.
  std::shared_ptr<runtime> current() const;
  /// True when it ran and nothing had to be cut off. On a callback_thread it only begins to stop: true when it ran.
  bool stop();

  /// True in a process forked from the one that made this. Its locks may be held by threads that are not there.
  bool forked() const noexcept;
  /// Why current() is null.
  failure_ptr absence() const { return forked() ? forked_process() : not_running(); }
  /// Throws in a forked process.
  void check_process() const;

  /// The state of everything; without a runtime just the counters. Throws when it does not answer.
  runtime_snapshot snapshot() const;
  /// True when a request sent now would find a server.
  bool usable() const;
  performance_result performance() const;
  std::vector<performance_alert> alerts() const;
  /// The same, with what each is about.
  std::vector<missed_limit> missed_limits() const;
  void set_limits(const performance_thresholds& limits);
  /// From now on, while it is connected and `enable_monitoring` is set, looks at the thresholds now and then and logs
  /// what is not kept; or not any more.
  void monitor(bool wanted);
  /// False: `pool.enable_metrics` is off.
  bool counts() const noexcept;

  /// The servers of the runtime, or those configured when it does not run. Where DNS lists the servers and has not
  /// answered, what stands for them.
  std::vector<connection_info> servers() const;
  /// Has the manager do that with a server of its own; false when there is none of that name. Throws ldap_exception.
  template <class Atom, class... Ts>
  bool command(const std::string& server, Atom command, Ts... with) const {
    check_process();
    const auto there = current();
    const auto found = find(server);
    if (!there || !found) return false;
    const auto done = there->client().ask<bool>(there->manager(), seconds{2}, command, found->id, with...);
    if (!done) throw_failure(done.error);
    return *done.value;
  }
  /// The server called `name`, or with that number; nothing when there is none. The first throws what kept the runtime
  /// from answering.
  server_context_ptr find(const std::string& name) const;
  server_context_ptr find(server_id id) const;
  /// "none" or the protocol and cipher last seen on a connection to that server; else what is configured.
  std::string encryption_of(const connection_info& server) const;
  void note_encryption(const std::string& server, const std::string& encryption);

  /// What is known before anything was tried: the first server.
  connection_result describe_first() const;
  /// Tries once to get hold of a working connection, until then; `why` is set when there is none.
  connection_result try_connect(runtime& there, time_point until, failure_ptr& why);
  void describe_probe(connection_result& result, const probe_report& probe) const;
  /// True when the manager was stopped within `span`.
  bool wait_for_stop(duration span);

  const fork_detector home;

 private:
  void watch();
  void unwatch();
  std::shared_ptr<runtime> take_running();
  void wait_for_ending();

  const std::optional<remote_nodes> nodes_;
  std::timed_mutex lifecycle_;  ///< one start, stop or reload at a time
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  settings_ptr all_;
  const settings_ptr given_;  ///< at first; read without a lock
  std::shared_ptr<runtime> running_;
  std::shared_ptr<runtime> ending_;  ///< begun to stop in a callback; waited for by whoever may
  name_lookups lookups_;
  std::optional<node_orders> node_orders_;
  log_listener on_log_;
  event_listener on_event_;
  const std::shared_ptr<std::atomic<bool>> muted_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<metrics_registry> metrics_;
  performance_thresholds limits_;
  std::atomic<bool> monitored_{true};  ///< unless stop_monitoring() was called
  std::map<std::string, std::string> encryption_;
  mutable recent_connects recent_connects_;
  std::mutex told_mutex_;
  alert_story told_;             ///< of the thresholds; goes on over a reload
  bool told_blindness_ = false;  ///< that they could not be looked at
  mutable cpu_meter cpu_{resources_now().cpu, std::chrono::steady_clock::now()};
  periodic_thread watcher_;  ///< uses the rest: ends before it
};

}  // namespace understudy
