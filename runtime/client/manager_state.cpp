// What stands behind a connection_manager: see manager_state.hpp.
#include "understudy/runtime/client/manager_state.hpp"

#include "understudy/actors/metrics/registry.hpp"
#include "understudy/config/endpoint.hpp"
#include "understudy/config/load.hpp"
#include "understudy/config/settings_from.hpp"
#include "understudy/runtime/platform/callback_thread.hpp"

namespace understudy {
namespace {

performance_thresholds thresholds_of(const monitoring_settings& m) {
  return {static_cast<double>(m.max_connection_time), m.min_success_rate, m.max_pool_utilization};
}

bool same_thresholds(const monitoring_settings& a, const monitoring_settings& b) {
  return a.max_connection_time == b.max_connection_time && a.min_success_rate == b.min_success_rate &&
         a.max_pool_utilization == b.max_pool_utilization;
}

}  // namespace

connection_manager::state::state(settings s)
    : all_(std::make_shared<const settings>(checked(std::move(s)))),
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

void connection_manager::state::set_lookups(name_lookups how) {
  std::lock_guard guard{mutex_};
  lookups_ = std::move(how);
}

bool connection_manager::state::forked() const noexcept { return !home.here(); }

void connection_manager::state::check_process() const {
  if (forked()) throw_failure(forked_process());
}

void connection_manager::state::set_log(log_sink::listener to) {
  std::lock_guard guard{mutex_};
  on_log_ = std::move(to);
}

void connection_manager::state::check_waiting() const {
  check_process();
  if (!callback_thread::may_wait_for_requests() && current()) throw_failure(would_wait_for_itself());
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
  {
    std::lock_guard guard{mutex_};
    if (on_log_)
      options.on_log = [to = on_log_, muted = muted_](log_level level, std::string_view from, const std::string& line) {
        if (!*muted) to(level, from, line);
      };
    options.lookups = lookups_;
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
  check_waiting();
  if (auto there = current()) {
    auto now = there->snapshot();
    if (now) return std::move(*now.value);
    // It was stopped meanwhile, or ended of itself.
    if (now.error->code != errc::stopped) throw_failure(now.error);
  }
  runtime_snapshot counters;
  counters.operations = metrics_->totals(std::chrono::steady_clock::now());
  counters.protocol_errors = metrics_->protocol_errors();
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
  performance_thresholds limits;
  {
    std::lock_guard guard{mutex_};
    limits = limits_;
  }
  return alerts_of(snapshot(), metrics_->average_connect(), limits);
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
  const auto how = all();
  if (!monitored_ || !how->monitoring.enable_monitoring || !current()) return watcher_.stop();
  watcher_.start(how->pool.health_check_interval, [this] {
    auto there = current();
    if (!there) return;
    std::vector<performance_alert> found;
    try {
      found = alerts();
    } catch (const ldap_exception& e) {
      return there->env()->log->write(log_level::warning, "monitoring", "the thresholds could not be looked at",
                                      {{"cause", e.what()}});
    }
    for (auto& alert : found)
      there->env()->log->write(
          log_level::warning, "monitoring", alert.message,
          {{"current_value", std::to_string(alert.current_value)}, {"threshold", std::to_string(alert.threshold)}});
  });
  // Stopped meanwhile: nobody else would end it.
  if (!current()) watcher_.stop();
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

void connection_manager::state::note_encryption(const std::string& server, const std::string& what) {
  std::lock_guard guard{mutex_};
  encryption_[server] = what;
}

}  // namespace understudy
