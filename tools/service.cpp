// Runs a service: see service.hpp.
#include "understudy/tools/service.hpp"

#include "understudy/config/problem.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/runtime/platform/log_line.hpp"
#include "understudy/tools/exit_code.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <exception>

namespace understudy::cli {

using namespace internal;
namespace {

service_timing timing_of(const service_plan& plan, const service_notifier& manager) {
  service_timing timing;
  timing.drain = plan.drain;
  timing.watchdog = manager.watchdog();
  return timing;
}

// All parts as one.
void add(service_observation& all, const service_observation& part) {
  all.answered = all.answered && part.answered;
  all.ended = all.ended || part.ended;
  all.serves = all.serves && part.serves;
  all.all_failed = all.all_failed || part.all_failed;
  if (!part.summary.empty()) append_item(all.summary, "; ", part.summary);
}

bool stops(int signal) { return signal == SIGTERM || signal == SIGINT; }

/// Once nobody looks at signals any more: what is left may take a while to end, and who does not want to wait for that
/// need not.
class end_of_listening {
 public:
  end_of_listening(interrupt_watch& interrupts, service_orders& orders) : interrupts_(interrupts), orders_(orders) {}
  ~end_of_listening() {
    orders_.go_to({});
    interrupts_.deliver_to([](int signal) {
      if (stops(signal)) ::_exit(exit_runtime);
    });
  }
  end_of_listening(const end_of_listening&) = delete;
  end_of_listening& operator=(const end_of_listening&) = delete;

 private:
  interrupt_watch& interrupts_;
  service_orders& orders_;
};

void count(int& signals) { signals = std::min(signals + 1, 2); }

}  // namespace

service::service(service_plan plan, const service_notifier& manager, interrupt_watch& interrupts)
    : plan_(std::move(plan)),
      manager_(manager),
      interrupts_(interrupts),
      state_(timing_of(plan_, manager)),
      level_(plan_.log.level) {}

int service::run() {
  for (const auto& part : plan_.parts) carry_out(service_do::say{log_level::info, part->description()});
  interrupts_.deliver_to([this](int signal) { on_signal(signal); });
  plan_.orders->go_to([this](service_order order) {
    post([this, order](time_point now) {
      return order == service_order::reload ? state_.on_reload_asked(now) : state_.on_drain_ordered(now);
    });
  });
  const end_of_listening at_the_end{interrupts_, *plan_.orders};
  carry_out(state_.begin(std::chrono::steady_clock::now()));
  while (!exit_code_) {
    const auto next = next_event();
    const auto now = std::chrono::steady_clock::now();
    carry_out(next ? next(now) : state_.on_time(now));
  }
  return *exit_code_;
}

// ---- events ----

void service::post(event happened) {
  {
    const std::lock_guard guard{mutex_};
    events_.push_back(std::move(happened));
  }
  changed_.notify_one();
}

void service::on_signal(int signal) {
  {
    const std::lock_guard guard{mutex_};
    count(stops(signal) ? signals_.stop : signal == SIGHUP ? signals_.reload : signals_.reopen);
  }
  changed_.notify_one();
}

// Nothing: time has passed.
service::event service::next_event() {
  std::unique_lock lock{mutex_};
  const auto any = [this] { return !events_.empty() || signals_.reload + signals_.reopen + signals_.stop > 0; };
  const auto until = state_.next_event();
  if (until == time_point::max())
    changed_.wait(lock, any);
  else
    changed_.wait_until(lock, until, any);
  if (auto signal = event_of_signal()) return signal;
  if (events_.empty()) return {};
  auto first = std::move(events_.front());
  events_.pop_front();
  return first;
}

service::event service::event_of_signal() {
  if (signals_.stop > 0) {
    --signals_.stop;
    return [this](time_point now) { return state_.on_stop_asked(now); };
  }
  if (signals_.reopen > 0) {
    signals_.reopen = 0;
    return [this](time_point) { return state_.on_reopen_asked(); };
  }
  if (signals_.reload > 0) {
    signals_.reload = 0;
    return [this](time_point now) { return state_.on_reload_asked(now); };
  }
  return {};
}

// ---- actions ----

void service::carry_out(const service_state::actions& todo) {
  for (const auto& action : todo) std::visit([this](const auto& step) { carry_out(step); }, action);
}

void service::carry_out(const service_do::start&) {
  starter_.run([this] { start_parts(); });
}
void service::carry_out(const service_do::observe&) {
  observer_.run([this] { observe_parts(); });
}
void service::carry_out(const service_do::reload&) {
  changer_.run([this] { reload_parts(); });
}
void service::carry_out(const service_do::drain&) {
  changer_.run([this] { drain_parts(); });
}

void service::carry_out(const service_do::reopen_log&) {
  try {
    plan_.writer->reopen();
    carry_out(service_do::say{log_level::info, "the log was opened anew"});
  } catch (const ldap_exception& e) {
    carry_out(service_do::say{log_level::error,
                              "the log cannot be opened anew, the earlier file stays: " + e.reason().message});
  }
}

void service::carry_out(const service_do::say& line) {
  const auto written =
      log_line(plan_.log.format, std::chrono::system_clock::now(), line.level, "service", line.text, {});
  // Whoever started it sees on standard error what it does, whatever the log is for.
  if (plan_.log.file.empty() || line.level <= level_) plan_.writer->write(line.level, "service", written);
  if (plan_.log.file.empty()) return;
  standard_error_.write("understudy: " + printable(line.text));
}

void service::carry_out(const service_do::notify& told) {
  const bool deaf = !manager_.tell(told.assignments);
  if (deaf && !manager_deaf_)
    carry_out(service_do::say{log_level::warning, "the service manager (NOTIFY_SOCKET) cannot be told anything"});
  manager_deaf_ = deaf;
}

void service::carry_out(const service_do::end_at_once& how) { ::_exit(how.code); }

// ---- jobs ----

void service::start_parts() try {
  std::string why;
  for (const auto& part : plan_.parts)
    if (const auto reason = part->start()) append_item(why, "; ", *reason);
  post([this, why](time_point now) { return state_.on_started(now, why.empty(), why); });
} catch (const std::exception& e) {
  post([this, why = std::string{e.what()}](time_point) { return state_.on_start_failed(why); });
}

void service::observe_parts() {
  service_observation seen;
  seen.answered = seen.serves = true;
  try {
    for (const auto& part : plan_.parts) add(seen, part->observe());
  } catch (const std::exception& e) {
    seen.answered = false;
    seen.summary = e.what();
  }
  post([this, seen](time_point now) { return state_.on_observed(now, seen); });
}

void service::reload_parts() {
  reload_outcome outcome;
  std::optional<settings> read;
  try {
    read = plan_.read_again();
    for (const auto& part : plan_.parts) part->reload(*read);
    outcome.applied = true;
  } catch (const config_error& e) {
    for (const auto& problem : e.problems()) outcome.lines.push_back(describe(problem));
  } catch (const std::exception& e) {
    outcome.lines.emplace_back(e.what());
  }
  post([this, outcome, read](time_point now) {
    if (outcome.applied) level_ = read->log.level;
    // One that was refused changes nothing.
    const auto drain = outcome.applied ? std::optional{read->limits.drain_timeout} : std::nullopt;
    return state_.on_reloaded(now, outcome, drain);
  });
}

void service::drain_parts() {
  bool clean = true;
  try {
    for (auto part = plan_.parts.rbegin(); part != plan_.parts.rend(); ++part) clean = (*part)->drain() && clean;
  } catch (const std::exception& e) {
    clean = false;
    post([why = std::string{"the drain failed: "} + e.what()](time_point) -> service_state::actions {
      return {service_do::say{log_level::error, why}};
    });
  }
  post([this, clean](time_point) { return state_.on_drained(clean); });
}

}  // namespace understudy::cli
