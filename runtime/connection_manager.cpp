// The facade most services use: see connection_manager.hpp.
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/actors/metrics/registry.hpp"
#include "understudy/config/endpoint.hpp"
#include "understudy/config/load.hpp"
#include "understudy/config/settings_from.hpp"
#include "understudy/messages/time_units.hpp"
#include "understudy/runtime/client/completion_delivery.hpp"
#include "understudy/runtime/client/facade_state.hpp"
#include "understudy/runtime/client/node_targets.hpp"
#include "understudy/runtime/client/readiness.hpp"
#include "understudy/runtime/client/recovery_plan.hpp"
#include "understudy/runtime/client/thresholds.hpp"
#include "understudy/runtime/platform/callback_thread.hpp"
#include "understudy/runtime/platform/signal_masked_thread.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <thread>
#include <tuple>

namespace understudy {

using namespace internal;
namespace {

settings with_options(const std::vector<connection_info>& servers, const manager_options& options) {
  auto all = settings_from(servers);
  all.pool.use_pool = options.use_pool;
  all.pool.health_check_interval = options.health_check_interval;
  all.monitoring.enable_monitoring = options.enable_monitoring;
  all.recovery.auto_reconnect = options.auto_reconnect;
  all.recovery.reconnect_attempts = options.reconnect_attempts;
  all.recovery.reconnect_delay = options.reconnect_delay;
  all.recovery.auto_recovery = options.auto_recovery;
  all.recovery.recovery_attempts = options.recovery_attempts;
  all.recovery.recovery_delay = options.recovery_delay;
  all.breaker.circuit_breaker_threshold = options.circuit_breaker_threshold;
  // Inside somebody else's program, only what needs attention is worth a line on its standard error.
  all.log.level = log_level::warning;
  return all;
}

settings loaded(const std::string& path) {
  auto found = load_file(path);
  if (!found.ok()) throw config_error(std::move(found.problems));
  return std::move(found.value);
}

bool same_thresholds(const monitoring_settings& a, const monitoring_settings& b) {
  return a.max_connection_time == b.max_connection_time && a.min_success_rate == b.min_success_rate &&
         a.max_pool_utilization == b.max_pool_utilization;
}

constexpr seconds probe_time{10};

void describe_server(connection_result& result, const connection_info& info) {
  auto at = endpoint_of(info);
  result.host = info.srv.empty() ? at.host : info.srv;
  result.port = at.port;
  result.auth_method = binds_externally(info) ? "external" : info.bind_dn.empty() ? "anonymous" : "simple";
}

void describe_failure(connection_result& result, failure_ptr why) {
  (why->code == errc::service_authentication_failed ? result.auth_error : result.connection_error) = describe(*why);
  result.failed = std::move(why);
}

// One attempt of connect() is one at each server; a request may be redispatched more often, with pauses in between.
std::uint16_t attempts_used(const std::vector<connection_info>& servers) {
  int most = 0;
  for (auto& server : servers) most = std::max(most, server.max_retries);
  int wanted = static_cast<int>(servers.size()) - 1;
  return static_cast<std::uint16_t>(std::max(0, most - wanted));
}

// The time that one attempt may take: a connection to each server in turn, if need be.
duration attempt_time(const settings& all) {
  duration longest{};
  for (auto& server : all.servers) longest = std::max(longest, server.timeout);
  return longest + all.failover.failover_timeout;
}

// Of what was found out: a server that is well, of the level that serves if there is one; else why that level is not.
const probe_report* most_telling(const std::vector<probe_report>& reports, const runtime_snapshot& now) {
  const auto rank = [&](const probe_report& report) {
    const auto server = std::find_if(now.servers.begin(), now.servers.end(),
                                     [&](const server_snapshot& s) { return s.id == report.server; });
    const bool known = server != now.servers.end();
    const bool serves = known && now.active_priority == server->priority;
    return std::tuple{!report.ok, !serves, known ? server->priority : std::numeric_limits<int>::max()};
  };
  const auto best =
      std::min_element(reports.begin(), reports.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return best == reports.end() ? nullptr : &*best;
}

}  // namespace

connection_manager::connection_manager(settings all) : state_(std::make_shared<state>(std::move(all))) {}

connection_manager::connection_manager(connection_info info, manager_options options)
    : connection_manager(with_options({std::move(info)}, options)) {}

connection_manager connection_manager::from_file(const std::string& path) { return connection_manager(loaded(path)); }

// The public functions take their servers by value, as they always did.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
connection_manager connection_manager::with_failover(std::vector<connection_info> servers, manager_options options) {
  return connection_manager(with_options(servers, options));
}

// NOLINTNEXTLINE(performance-unnecessary-value-param)
connection_manager connection_manager::create_ha_cluster(std::vector<connection_info> servers, ha_options options) {
  auto all = with_options(servers, {});
  all.failover.failover_timeout = options.failover_timeout;
  all.failover.health_check_interval = options.health_check_interval;
  all.failover.auto_failback = options.auto_failback;
  return connection_manager(std::move(all));
}

connection_manager::connection_manager(settings all, std::optional<remote_nodes> nodes)
    : state_(std::make_shared<state>(std::move(all), std::move(nodes))) {}

connection_manager connection_manager::for_nodes(const remote_nodes& nodes, settings all) {
  all.servers = stand_ins_for(nodes);
  return {std::move(all), nodes};
}

connection_manager connection_manager::connect_node(std::vector<std::string> addresses, std::optional<node_tls> tls,
                                                    const manager_options& options) {
  remote_nodes nodes;
  nodes.addresses = std::move(addresses);
  nodes.tls = std::move(tls);
  auto made = for_nodes(nodes, with_options(stand_ins_for(nodes), options));
  static_cast<void>(made.connect());
  return made;
}

connection_manager::connection_manager(connection_manager&&) noexcept = default;

connection_manager& connection_manager::operator=(connection_manager&& other) noexcept {
  if (this != &other) {
    connection_manager ended{std::move(*this)};
    state_ = std::move(other.state_);
  }
  return *this;
}

connection_manager::~connection_manager() {
  if (!state_) return;
  if (state_->forked()) {
    // A forked child has none of the threads that the members would join: they are left as they are.
    static_cast<void>(new std::shared_ptr<state>(std::move(state_)));
    return;
  }
  // Nothing new from now on, wherever the rest is done.
  const bool here = callback_thread::may_wait_for_the_end();
  if (!here) {
    // The log goes on until the end, which may be after that of what its listener refers to.
    state_->mute_log();
    state_->stop();
  }
  auto end = [last = std::move(state_)] { last->stop(); };
  // Joining the threads of the runtime on one of them would be to wait for itself.
  if (here)
    end();
  else
    finish_elsewhere(std::move(end));
}

connection_manager::state& connection_manager::held() const {
  if (!state_) throw_failure(moved_from("connection_manager"));
  return *state_;
}

failure_ptr connection_manager::absence() const {
  return state_ ? state_->absence() : moved_from("connection_manager");
}

void connection_manager::set_log(std::function<void(log_level, const std::string&)> to) {
  held().check_process();
  if (!to) return state_->set_log({});
  state_->set_log(
      [to = std::move(to)](log_level level, std::string_view, const std::string& line) { to(level, line); });
}

void connection_manager::set_events(event_listener to) {
  held().check_process();
  state_->set_events(std::move(to));
}

std::vector<runtime_event> connection_manager::events(std::uint64_t after) const {
  held().check_process();
  const auto there = state_->current();
  return there ? there->events(after) : std::vector<runtime_event>{};
}

void connection_manager::set_lookups(name_lookups lookups) { held().set_lookups(std::move(lookups)); }

reload_report connection_manager::reload(settings all, duration timeout) {
  return held().reload(std::move(all), timeout);
}
reload_report connection_manager::reload_file(const std::string& path, duration timeout) {
  return reload(loaded(path), timeout);
}

bool connection_manager::disconnect() { return state_ && state_->stop(); }

lease connection_manager::get_connection(const lease_options& options) {
  auto there = state_ ? state_->current() : nullptr;
  if (!there) throw_failure(absence());
  auto got = there->client().acquire(options);
  if (!got) throw_failure(got.error);
  return std::move(*got.value);
}

bool connection_manager::return_connection(lease& connection) {
  held().check_process();
  auto there = state_->current();
  // After a stop there is nobody to give it back to, and nothing to give: the lease ended with the runtime.
  if (!there) return connection.release();
  auto given = there->client().give_back(connection);
  if (!given) throw_failure(given.error);
  return *given.value;
}

performance_result connection_manager::get_metrics() const {
  held().check_process();
  return state_->performance();
}

void connection_manager::set_thresholds(const performance_thresholds& limits) {
  held().check_process();
  state_->set_limits(limits);
}

std::vector<performance_alert> connection_manager::check_performance() const {
  held().check_process();
  return state_->alerts();
}

void connection_manager::start_monitoring() {
  held().check_process();
  state_->monitor(true);
}
void connection_manager::stop_monitoring() {
  held().check_process();
  state_->monitor(false);
}

runtime_snapshot connection_manager::snapshot() const {
  held().check_process();
  return state_->snapshot();
}

bool connection_manager::suspend(const std::string& server, seconds ttl) {
  const auto whole = static_cast<std::uint32_t>(std::clamp<seconds::rep>(ttl.count(), 0, UINT32_MAX));
  return held().command(server, suspend_atom_v, whole);
}

bool connection_manager::resume(const std::string& server) { return held().command(server, resume_atom_v); }

outcome connection_manager::perform(request_ptr request, const call_options& options) {
  auto there = state_ ? state_->current() : nullptr;
  if (!there) return absence();
  return there->client().perform(std::move(request), options);
}

search_stream connection_manager::stream(search_request request, const stream_options& options) {
  auto there = state_ ? state_->current() : nullptr;
  if (!there) return search_stream{absence()};
  return search_stream::on_own_lease(there->client(), std::move(request), options);
}

paged_search connection_manager::paged(search_request request, const paged_options& options) {
  auto there = state_ ? state_->current() : nullptr;
  if (!there) return paged_search{absence()};
  return paged_search::on_own_lease(there->client(), std::move(request), options);
}

void connection_manager::start(request_ptr request, completion done, const call_options& options, executor where) {
  auto there = state_ ? state_->current() : nullptr;
  if (there) return there->client().start(std::move(request), std::move(done), options, std::move(where));
  completion_delivery{std::move(done), std::move(where), nullptr}.tell_unnested(absence());
}

// ---- the state behind it ----

connection_manager::state::state(settings s, std::optional<remote_nodes> nodes)
    : nodes_(std::move(nodes)),
      all_(std::make_shared<const settings>(checked(std::move(s)))),
      given_(all_),
      metrics_(std::make_shared<metrics_registry>()),
      limits_(thresholds_of(all_->monitoring)) {}

settings_ptr connection_manager::state::all() const {
  if (forked()) return given_;
  std::lock_guard guard{mutex_};
  return all_;
}

reload_report connection_manager::state::reload(settings next, duration timeout) {
  const auto until = std::chrono::steady_clock::now() + as_limit(timeout);
  check_process();
  if (!callback_thread::may_wait_for_the_end()) throw_failure(would_wait_for_itself());
  if (nodes_) throw_failure(settings_of_nodes());
  next = checked(std::move(next));
  std::unique_lock one_at_a_time{lifecycle_, until};
  if (!one_at_a_time)
    throw_failure(make_failure(errc::operation_timeout, stage::queue,
                               "the manager is being started, stopped or changed; the settings stay as they are"));
  reload_report report;
  if (auto there = current()) {
    auto done = there->reload(next, until - std::chrono::steady_clock::now());
    if (!done) throw_failure(done.error);
    report = std::move(*done.value);
  }
  // As given: what takes a restart counts from the next connect() on.
  const auto before = all();
  const auto now = std::make_shared<const settings>(std::move(next));
  {
    std::lock_guard guard{mutex_};
    all_ = now;
    // Thresholds set by hand stay until the configured ones change.
    if (!same_thresholds(before->monitoring, now->monitoring)) limits_ = thresholds_of(now->monitoring);
  }
  watch();
  return report;
}

void connection_manager::state::set_lookups(name_lookups lookups) {
  std::lock_guard guard{mutex_};
  lookups_ = std::move(lookups);
}

bool connection_manager::state::forked() const noexcept { return !home.here(); }

void connection_manager::state::check_process() const {
  if (forked()) throw_failure(forked_process());
}

void connection_manager::state::set_log(log_listener to) {
  std::lock_guard guard{mutex_};
  on_log_ = std::move(to);
}

void connection_manager::state::set_events(event_listener to) {
  std::lock_guard guard{mutex_};
  on_event_ = std::move(to);
}

void connection_manager::state::serve_nodes(node_orders orders) {
  std::lock_guard guard{mutex_};
  node_orders_ = std::move(orders);
}

std::shared_ptr<runtime> connection_manager::state::start() {
  check_process();
  if (!callback_thread::may_wait_for_the_end()) throw_failure(would_wait_for_itself());
  std::lock_guard one_at_a_time{lifecycle_};
  wait_for_ending();
  if (auto there = current()) {
    if (!there->client().closed()) return there;
    // It ended of itself; what is left of it is taken away.
    there->stop(duration::zero());
  }
  runtime_options options;
  options.metrics = metrics_;
  options.nodes = nodes_;
  {
    std::lock_guard guard{mutex_};
    if (on_log_)
      options.on_log = [to = on_log_, muted = muted_](log_level level, std::string_view from, const std::string& line) {
        if (!*muted) to(level, from, line);
      };
    if (on_event_)
      options.on_event = [to = on_event_, muted = muted_](const runtime_event& event) {
        if (!*muted) to(event);
      };
    options.lookups = lookups_;
    options.serve_nodes = node_orders_;
    options.serve_clients = node_orders_.has_value();
    options.serve_http = node_orders_.has_value();
  }
  auto made = std::make_shared<runtime>(all(), std::move(options));
  {
    std::lock_guard guard{mutex_};
    running_ = made;
  }
  watch();
  return made;
}

std::shared_ptr<runtime> connection_manager::state::current() const {
  if (forked()) return nullptr;
  std::lock_guard guard{mutex_};
  return running_;
}

bool connection_manager::state::stop() {
  if (forked()) return false;
  if (!callback_thread::may_wait_for_the_end()) {
    const auto ending = take_running();
    if (!ending) return false;
    ending->stop(all()->limits.drain_timeout);
    watcher_.stop();
    std::lock_guard guard{mutex_};
    ending_ = ending;
    return true;
  }
  std::lock_guard one_at_a_time{lifecycle_};
  wait_for_ending();
  const auto ending = take_running();
  const bool clean = ending && ending->stop(all()->limits.drain_timeout);
  watcher_.stop();
  return clean;
}

std::shared_ptr<runtime> connection_manager::state::take_running() {
  std::shared_ptr<runtime> ending;
  {
    std::lock_guard guard{mutex_};
    ending.swap(running_);
  }
  stopped_.notify_all();
  return ending;
}

void connection_manager::state::wait_for_ending() {
  std::shared_ptr<runtime> ending;
  {
    std::lock_guard guard{mutex_};
    ending.swap(ending_);
  }
  if (ending) ending->stop(all()->limits.drain_timeout);
}

bool connection_manager::state::wait_for_stop(duration span) {
  std::unique_lock lock{mutex_};
  return stopped_.wait_for(lock, span, [this] { return running_ == nullptr; });
}

runtime_snapshot connection_manager::state::snapshot() const {
  check_process();
  if (auto there = current()) {
    auto now = there->snapshot();
    if (now) return std::move(*now.value);
    // It was stopped meanwhile, or ended of itself.
    if (now.error->code != errc::stopped) throw_failure(now.error);
  }
  runtime_snapshot counters;
  metrics_->fill(counters, std::chrono::steady_clock::now());
  return counters;
}

performance_result connection_manager::state::performance() const {
  const auto seen = snapshot();
  const auto used = resources_now();
  const auto now = std::chrono::steady_clock::now();
  std::lock_guard guard{mutex_};
  auto result = performance_of(seen, used, cpu_.look(used.cpu, now));
  if (!counts()) result.connection_reuse_rate = 0;
  return result;
}

std::vector<performance_alert> connection_manager::state::alerts() const {
  auto found = missed_limits();
  return {std::make_move_iterator(found.begin()), std::make_move_iterator(found.end())};
}

std::vector<missed_limit> connection_manager::state::missed_limits() const {
  const auto seen = snapshot();
  std::lock_guard guard{mutex_};
  const auto lately = recent_connects_.average(seen.connects, std::chrono::steady_clock::now());
  return check_thresholds(seen, lately, limits_);
}

void connection_manager::state::set_limits(const performance_thresholds& limits) {
  std::lock_guard guard{mutex_};
  limits_ = limits;
}

bool connection_manager::state::counts() const noexcept { return metrics_->enabled(); }

void connection_manager::state::monitor(bool wanted) {
  monitored_ = wanted;
  watch();
}

void connection_manager::state::watch() {
  const auto now = all();
  if (!monitored_ || !now->monitoring.enable_monitoring || !current()) return unwatch();
  watcher_.start(now->pool.health_check_interval, [this] {
    auto there = current();
    if (!there) return;
    std::vector<missed_limit> found;
    std::string blindness;
    try {
      found = missed_limits();
    } catch (const ldap_exception& e) {
      blindness = e.what();
    }
    std::vector<alert_story::turn> turns;
    {
      // Not while it is written: who hears of it may call us.
      const std::lock_guard guard{told_mutex_};
      if (std::exchange(told_blindness_, !blindness.empty()) && !blindness.empty()) return;
      if (blindness.empty()) turns = told_.look(std::move(found), std::chrono::steady_clock::now());
    }
    if (!blindness.empty())
      there->env()->log->write(log_level::warning, "monitoring", "the thresholds could not be looked at",
                               {{"cause", blindness}});
    for (const auto& turn : turns)
      there->env()->log->write(
          turn.begins ? log_level::warning : log_level::info, "monitoring", turn.text,
          {{"current_value", std::to_string(turn.current_value)}, {"threshold", std::to_string(turn.threshold)}});
  });
  // Stopped meanwhile: nobody else would end it.
  if (!current()) unwatch();
}

/// Nobody looks any more, so that what lasts is not known to last.
void connection_manager::state::unwatch() {
  watcher_.stop();
  const std::lock_guard guard{told_mutex_};
  told_ = {};
  told_blindness_ = false;
}

std::vector<connection_info> connection_manager::state::servers() const {
  std::vector<connection_info> found;
  if (auto there = current())
    if (const auto now = there->servers())
      for (const auto& context : *now.value) found.push_back(context->server);
  return found.empty() ? all()->servers : found;
}

server_context_ptr connection_manager::state::find(const std::string& name) const {
  if (auto there = current()) {
    const auto now = there->servers();
    if (!now) throw_failure(now.error);
    for (const auto& context : *now.value)
      if (context->name == name) return context;
  }
  return nullptr;
}

server_context_ptr connection_manager::state::find(server_id id) const {
  if (auto there = current())
    if (const auto now = there->servers())
      for (const auto& context : *now.value)
        if (context->id == id) return context;
  return nullptr;
}

std::string connection_manager::state::encryption_of(const connection_info& info) const {
  std::lock_guard guard{mutex_};
  if (auto it = encryption_.find(server_name(info)); it != encryption_.end()) return it->second;
  if (endpoint_of(info).use_ssl) return "TLS";
  return info.use_tls ? "StartTLS" : "none";
}

void connection_manager::state::note_encryption(const std::string& server, const std::string& encryption) {
  std::lock_guard guard{mutex_};
  encryption_[server] = encryption;
}

// ---- connect(), is_connected(), health_check(), probe_all() ----

connection_result connection_manager::state::describe_first() const {
  connection_result result;
  const auto first = servers().front();
  describe_server(result, first);
  if (forked()) return result;
  result.encryption = encryption_of(first);
  return result;
}

connection_result connection_manager::state::try_connect(runtime& there, time_point until, failure_ptr& why) {
  // Zero would mean a default.
  const auto at_most = [&](duration span) {
    return std::clamp<duration>(until - there.env()->clock->now(), duration{1}, span);
  };
  auto result = describe_first();
  lease_options options;
  options.timeout = at_most(attempt_time(*all()));
  options.holder = "connect()";
  auto got = there.client().acquire_anew(options, attempts_used(servers()));
  if (!got) {
    why = got.error;
    describe_failure(result, why);
    return result;
  }
  auto& connection = *got.value;
  if (auto found = find(connection.server())) describe_server(result, found->server);
  if (auto seen = there.client().inspect(connection, at_most(actor_timeout))) {
    result.connection_time = in_milliseconds(seen.value->connect_time);
    result.encryption = seen.value->encryption;
    result.auth_method = seen.value->auth_method;
    note_encryption(connection.server(), seen.value->encryption);
  }
  auto read = there.client().check(connection, at_most(actor_timeout));
  if (read && read.value->ok) {
    result.response_time = in_milliseconds(read.value->took);
    // A breaker that was open need not wait for a probe of its own.
    there.client().tell(*read.value);
  }
  // Waited for: the caller's next request shall find the connection, and not open another one beside it. An answer that
  // stays away changes nothing, the lease is on its way back.
  static_cast<void>(there.client().give_back(connection));
  result.connected = true;
  result.last_activity = there.env()->clock->wall_now();
  return result;
}

connection_result connection_manager::connect(duration timeout) {
  const auto began = std::chrono::steady_clock::now();
  const auto until = began + as_limit(timeout);
  failure_ptr why;
  connection_result result;
  if (!state_) {
    describe_failure(result, absence());
    return result;
  }
  try {
    auto there = state_->start();
    there->client().resume();
    connect_plan plan{state_->all()->recovery};
    for (;;) {
      why = nullptr;
      result = state_->try_connect(*there, until, why);
      if (result.connected) break;
      const auto now = std::chrono::steady_clock::now();
      const auto pause = plan.next(*why, until - now);
      if (!pause) there->client().count_failed(why, now - began);
      if (!pause || state_->wait_for_stop(*pause)) break;
    }
  } catch (const ldap_exception& e) {
    result = state_->describe_first();
    describe_failure(result, make_failure(failure{e.reason()}));
  } catch (const std::exception& e) {
    result = state_->describe_first();
    // No thread or descriptor for the runtime itself.
    describe_failure(result, make_failure(errc::local_resources, stage::queue, e.what()));
  }
  return result;
}

bool connection_manager::is_connected() const {
  if (!state_ || !state_->current()) return false;
  return state_->usable();
}

bool connection_manager::state::usable() const {
  if (!nodes_) return is_usable(snapshot());
  check_process();
  const auto there = current();
  if (!there) return false;
  // What no node tells would find none either; a thread that must not ask is told so.
  const auto now = there->snapshot();
  if (!now && now.error->code == errc::invalid_request) throw_failure(now.error);
  return now && is_usable(*now.value);
}

std::vector<probe_report> connection_manager::probe_all(duration timeout) {
  held().check_process();
  auto there = state_->current();
  if (!there) return {};
  timeout = as_limit(timeout);
  auto deadline = there->env()->clock->now() + timeout;
  auto got = there->client().ask<std::vector<probe_report>>(there->manager(), timeout + actor_timeout, health_atom_v,
                                                            deadline);
  if (!got) throw_failure(got.error);
  return std::move(*got.value);
}

connection_result connection_manager::health_check() try {
  if (!state_) {
    connection_result moved;
    describe_failure(moved, absence());
    return moved;
  }
  auto result = state_->describe_first();
  auto there = state_->current();
  if (!there) {
    describe_failure(result, state_->absence());
    return result;
  }
  const auto now = state_->snapshot();
  const auto deadline = there->env()->clock->now() + probe_time;
  auto got = there->client().ask<std::vector<probe_report>>(there->manager(), probe_time + actor_timeout, health_atom_v,
                                                            now.active_priority.value_or(0), deadline);
  if (!got) throw_failure(got.error);
  const auto* chosen = most_telling(*got.value, now);
  if (!chosen) {
    describe_failure(result, make_failure(errc::connection_timeout, stage::queue, "no server could be probed in time"));
    return result;
  }
  state_->describe_probe(result, *chosen);
  // Not the check itself: what was done before it.
  result.last_activity = there->client().last_success();
  return result;
} catch (const ldap_exception& e) {
  auto result = state_->describe_first();
  describe_failure(result, make_failure(failure{e.reason()}));
  return result;
}

void connection_manager::state::describe_probe(connection_result& result, const probe_report& probe) const {
  if (auto found = find(probe.server)) {
    describe_server(result, found->server);
    result.encryption = encryption_of(found->server);
  }
  result.connected = probe.ok;
  for (auto& step : probe.steps)
    (step.what == stage::operation ? result.response_time : result.connection_time) += in_milliseconds(step.took);
  if (probe.error) describe_failure(result, probe.error);
}

}  // namespace understudy
