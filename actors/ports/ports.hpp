// What actors need of the outside world: time, readiness, name look-ups, workers, a log. The runtime implements these
// for real, tests by hand on virtual time.
#pragma once
#include "understudy/actors/ports/check_record.hpp"
#include "understudy/actors/ports/clients_port.hpp"
#include "understudy/actors/ports/cluster_port.hpp"
#include "understudy/actors/ports/connection_load.hpp"
#include "understudy/actors/ports/server_pace.hpp"
#include "understudy/actors/ports/unanswered_requests.hpp"
#include "understudy/config/settings.hpp"
#include "understudy/messages/actors.hpp"

#include <caf/actor_addr.hpp>
#include <caf/fwd.hpp>

#include <atomic>
#include <functional>

namespace understudy::internal {
class metrics_registry;
class operation_tap;
}  // namespace understudy::internal

namespace understudy {

/// Time. Monotonic for every decision; wall time only for people.
class clock_port {
 public:
  virtual ~clock_port() = default;
  /// Now, for decisions.
  virtual time_point now() const = 0;
  /// Now, for people.
  virtual wall_time wall_now() const = 0;
};

/// Readiness of file descriptors and cancellable timers, both by number. All members are thread-safe. An owner that has
/// ended is simply told nothing; registrations hold no strong reference to it.
class poller_port {
 public:
  /// Number of a registration; never 0.
  using io_id = std::uint64_t;
  /// Number of a timer; never 0.
  using timer_id = std::uint64_t;
  ///@{
  /// What a descriptor can do; to be combined.
  static constexpr std::uint32_t readable = 1, writable = 2;
  ///@}

  virtual ~poller_port() = default;

  /// Registers `fd`, disarmed. After remove() its number is never told again (a message may still be under way: compare
  /// numbers) and the caller may close `fd`.
  virtual io_id add(int fd, caf::actor_addr owner) = 0;
  /// One answer `(io_atom, id, events)` when `fd` can do one of `interest`; errors and hang-ups count as both.
  virtual void arm(io_id id, std::uint32_t interest) = 0;
  /// Forgets it; unknown numbers are ignored.
  virtual void remove(io_id id) = 0;

  /// A timer of `owner`, not set.
  virtual timer_id add_timer(caf::actor_addr owner) = 0;
  /// One `(tick_atom, id)` at `when` (or at once if that has passed); replaces the earlier setting.
  virtual void set_timer(timer_id id, time_point when) = 0;
  /// It is not told any more until it is set again; a message may still be under way.
  virtual void clear_timer(timer_id id) = 0;
  /// Forgets it; unknown numbers are ignored.
  virtual void remove_timer(timer_id id) = 0;

  /// Where actors may run that never block (poller_actor.hpp); its exec_later() is thread-safe. Null: on CAF's
  /// scheduler only.
  virtual caf::execution_unit* unit() noexcept { return nullptr; }
  /// For a thread that is about to wait for an answer: calls `send`; what that gave actors of unit() to do is then done
  /// on the calling thread while the poller's own sleeps, which saves its wake-up.
  virtual void run_inline(const std::function<void()>& send) { send(); }
  /// Has the poller's thread run `job`, which must not throw; false when there is none, or it has ended.
  virtual bool post(const std::function<void()>& /*job*/) { return false; }
  /// How many of those wait.
  virtual std::size_t posted() const { return 0; }
};

/// Name look-ups that never block the caller.
class resolver_port {
 public:
  virtual ~resolver_port() = default;
  /// Answers `(resolved_atom, number, resolution)` to `owner`, at `deadline` at the latest. A literal address needs no
  /// look-up; look-ups of one name are coalesced; the old answer serves when a refresh fails.
  virtual void resolve(const std::string& host, std::uint16_t port, time_point deadline, caf::actor_addr owner,
                       std::uint64_t number) = 0;
  /// The SRV records of `name`, as `(resolved_atom, number, service_answer)` to `owner` when the name servers have
  /// answered or have been given up. A look-up that hangs is never answered: the owner keeps the time.
  virtual void find_services(const std::string& name, caf::actor_addr owner, std::uint64_t number) = 0;
};

/// A few threads for what can only block (a password callback or command).
class workers_port {
 public:
  virtual ~workers_port() = default;
  /// Runs `job` on a worker; false when too many wait already. The job must not throw.
  virtual bool run(std::function<void()> job) = 0;
};

/// Told a line of the log instead of having it written, on the log's thread; must not throw.
using log_listener = std::function<void(log_level level, std::string_view component, const std::string& line)>;

/// Where log lines go. Thread-safe, never blocks for long, never told a secret.
class log_port {
 public:
  /// Key and value.
  using fields = std::vector<std::pair<std::string_view, std::string>>;
  virtual ~log_port() = default;
  /// True when a line of that level would be written.
  virtual bool enabled(log_level level) const = 0;
  /// `component`: "pool", "breaker" …; `text`: what happened; `more`: key/value details.
  virtual void write(log_level level, std::string_view component, std::string_view text, const fields& more = {}) = 0;
};

/// Which operations may be sent again although the server may have carried them out already.
using repeat_rule = std::function<bool(const any_operation&)>;

/// The ports of one runtime, shared by all its actors.
struct environment {
  std::shared_ptr<clock_port> clock;                    ///< time
  std::shared_ptr<poller_port> poller;                  ///< readiness and timers
  std::shared_ptr<resolver_port> resolver;              ///< name look-ups
  std::shared_ptr<workers_port> workers;                ///< what can only block
  std::shared_ptr<log_port> log;                        ///< lines for operators
  std::shared_ptr<internal::metrics_registry> metrics;  ///< counters
  std::shared_ptr<cluster_port> cluster;                ///< null: this process shares nothing with other nodes
  std::shared_ptr<clients_port> clients;                ///< null: LDAP clients are not served here
  std::shared_ptr<clients_port> node_clients;           ///< null: this process is no node
  std::shared_ptr<internal::operation_tap> tap;         ///< for who watches requests; may be null
  /// Numbers for connections and leases; never 0.
  std::shared_ptr<std::atomic<std::uint64_t>> numbers = std::make_shared<std::atomic<std::uint64_t>>(0);
  /// Counts how often a server has become usable again: who waits for one looks whether it has changed.
  std::shared_ptr<std::atomic<std::uint64_t>> returns = std::make_shared<std::atomic<std::uint64_t>>(0);
  /// What connections ask before they give a request that may have been sent to another one, and before they call its
  /// outcome unknown. Must not throw.
  repeat_rule may_repeat = safe_to_repeat;
  /// Seed of every jitter, so that tests repeat.
  std::uint64_t seed = 0;

  /// Never the same twice, never 0.
  std::uint64_t next_number() const { return ++*numbers; }
};
/// How the ports are passed on.
using environment_ptr = std::shared_ptr<const environment>;

/// One server as its pool, monitor and connections see it.
struct server_context {
  server_id id = 0;                                                     ///< its number in this runtime
  std::string name;                                                     ///< "host:port" (or the ldapi path), for people
  connection_info server;                                               ///< how to speak to it
  settings_ptr all;                                                     ///< the settings that it is part of
  environment_ptr env;                                                  ///< the ports
  std::shared_ptr<server_pace> pace = std::make_shared<server_pace>();  ///< how long it usually takes
  /// What its connections have sent and got no answer to.
  std::shared_ptr<unanswered_requests> unanswered = std::make_shared<unanswered_requests>();
  /// What its checks found, for operators.
  std::shared_ptr<internal::check_record> checks = std::make_shared<internal::check_record>();
  /// Every socket to it takes one; null: nobody else counts them.
  std::shared_ptr<internal::socket_permits> permits;
};

/// What a new connection is made of. Handles upward are weak: parents hold children, not the other way round.
struct connection_spec {
  connection_id id = 0;                            ///< its number
  connection_kind kind = connection_kind::pooled;  ///< what it is for
  server_context_ptr context;                      ///< the server
  connection_load_ptr load;                        ///< shared with its owner
  caf::actor_addr owner;                           ///< pool or monitor: gets connection_event
  caf::actor_addr breaker;                   ///< gets outcome_report and redispatched requests; may be null for probes
  caf::actor_addr manager;                   ///< connection_manager: credentials
  internal::socket_permit permit = nullptr;  ///< of `context->permits`, held until its socket is closed
};

/// Makes connections; the manager passes the real one, tests their own.
using connection_factory = std::function<connection_actor(caf::actor_system&, connection_spec)>;
}  // namespace understudy
