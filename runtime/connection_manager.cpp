// The facade most services use: see connection_manager.hpp.
#include "understudy/runtime/connection_manager.hpp"

#include "understudy/config/load.hpp"
#include "understudy/config/settings_from.hpp"
#include "understudy/runtime/client/completion_delivery.hpp"
#include "understudy/runtime/client/manager_state.hpp"
#include "understudy/runtime/platform/callback_thread.hpp"
#include "understudy/runtime/platform/signal_masked_thread.hpp"

namespace understudy {
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

}  // namespace

connection_manager::connection_manager(settings all) : state_(std::make_shared<state>(std::move(all))) {}

connection_manager::connection_manager(connection_info info, manager_options options)
    : connection_manager(with_options({std::move(info)}, options)) {}

connection_manager connection_manager::from_file(const std::string& path) { return connection_manager(loaded(path)); }

connection_manager connection_manager::with_failover(std::vector<connection_info> servers, manager_options options) {
  return connection_manager(with_options(servers, options));
}

connection_manager connection_manager::create_ha_cluster(std::vector<connection_info> servers, ha_options options) {
  auto all = with_options(servers, {});
  all.failover.failover_timeout = options.failover_timeout;
  all.failover.health_check_interval = options.health_check_interval;
  all.failover.auto_failback = options.auto_failback;
  return connection_manager(std::move(all));
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

void connection_manager::set_lookups(name_lookups how) { held().set_lookups(std::move(how)); }

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
  held().check_waiting();
  return state_->performance();
}

void connection_manager::set_thresholds(const performance_thresholds& limits) {
  held().check_process();
  state_->set_limits(limits);
}

std::vector<performance_alert> connection_manager::check_performance() const {
  held().check_waiting();
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
  held().check_waiting();
  return state_->snapshot();
}

bool connection_manager::suspend(const std::string& server, seconds ttl) {
  held().check_waiting();
  auto there = state_->current();
  auto found = state_->find(server);
  if (!there || !found) return false;
  auto whole = static_cast<std::uint32_t>(std::clamp<seconds::rep>(ttl.count(), 0, UINT32_MAX));
  auto done = there->client().ask<bool>(there->manager(), seconds{2}, suspend_atom_v, found->id, whole);
  if (!done) throw_failure(done.error);
  return *done.value;
}

bool connection_manager::resume(const std::string& server) {
  held().check_waiting();
  auto there = state_->current();
  auto found = state_->find(server);
  if (!there || !found) return false;
  auto done = there->client().ask<bool>(there->manager(), seconds{2}, resume_atom_v, found->id);
  if (!done) throw_failure(done.error);
  return *done.value;
}

outcome connection_manager::perform(request_ptr what, const call_options& options) {
  auto there = state_ ? state_->current() : nullptr;
  if (!there) return absence();
  return there->client().perform(std::move(what), options);
}

search_stream connection_manager::stream(search_request what, const stream_options& options) {
  auto there = state_ ? state_->current() : nullptr;
  if (!there) return search_stream{absence()};
  return there->client().stream(std::move(what), options);
}

paged_search connection_manager::paged(search_request what, const paged_options& options) {
  auto there = state_ ? state_->current() : nullptr;
  if (!there) return paged_search{absence()};
  return there->client().paged(std::move(what), options);
}

void connection_manager::start(request_ptr what, completion done, const call_options& options, executor where) {
  auto there = state_ ? state_->current() : nullptr;
  if (there) return there->client().start(std::move(what), std::move(done), options, std::move(where));
  completion_delivery{std::move(done), std::move(where), nullptr}.tell_unnested(absence());
}

}  // namespace understudy
