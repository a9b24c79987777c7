// The life of a service, decided: see service_state.hpp.
#include "understudy/tools/service_state.hpp"

#include "understudy/config/text.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/tools/exit_code.hpp"

#include <algorithm>
#include <utility>

namespace understudy::cli {

using namespace internal;
namespace {

using std::chrono::microseconds;

// Until the first server answers, the service manager is asked for this much more time, this often: that the directory
// is away is no reason to kill who waits for it.
constexpr duration more_time = seconds{30}, more_time_every = seconds{10};
// An observation ends by itself before that, unless what it asks is stuck altogether.
constexpr duration overdue = seconds{5};
// Closing connections and joining threads takes this much more than draining at the most, even when peers hang.
constexpr duration closing = seconds{5};

std::string microseconds_of(duration span) {
  return std::to_string(std::chrono::duration_cast<microseconds>(span).count());
}

}  // namespace

service_phase service_state::phase() const noexcept {
  return reloading_ && !ending() ? service_phase::reloading : base_;
}

time_point service_state::next_event() const noexcept {
  if (base_ == service_phase::draining) return give_up_;
  if (base_ == service_phase::stopped) return time_point::max();
  if (!observing_) return next_observation_;
  return answers_ ? observing_since_ + overdue : time_point::max();
}

service_state::actions service_state::begin(time_point now) {
  next_sign_ = now;
  return {service_do::start{}, observe(now)};
}

service_state::actions service_state::on_time(time_point now) {
  if (now < next_event()) return {};
  if (base_ == service_phase::draining) {
    base_ = service_phase::stopped;
    return {service_do::say{log_level::error, "what runs did not end in time and is left behind"},
            service_do::end_at_once{exit_runtime}};
  }
  if (observing_) return lose_answers({});
  return {observe(now)};
}

service_do::observe service_state::observe(time_point now) {
  observing_ = true;
  observing_since_ = now;
  return {};
}

service_state::actions service_state::lose_answers(const std::string& why) {
  // While it starts there may be nobody yet who could answer.
  if (!std::exchange(answers_, false) || base_ == service_phase::starting) return {};
  const std::string text = "the runtime does not answer";
  actions todo{service_do::say{log_level::error, text + (why.empty() ? "" : ": " + why)}};
  const auto more = become_not_ready(text);
  todo.insert(todo.end(), more.begin(), more.end());
  return todo;
}

service_state::actions service_state::on_started(time_point now, bool connected, const std::string& why) {
  if (base_ != service_phase::starting) return {};
  if (!connected) return become_not_ready(why);
  // What it says is asked for at once.
  next_observation_ = std::min(next_observation_, now);
  return {};
}

service_state::actions service_state::on_start_failed(const std::string& why) {
  return ending() ? actions{} : fail("cannot start: " + why);
}

service_state::actions service_state::on_observed(time_point now, const service_observation& seen) {
  observing_ = false;
  if (ending()) return {};
  if (seen.ended) return fail("the runtime has given up: " + seen.summary);
  actions todo;
  const auto add = [&todo](actions more) { todo.insert(todo.end(), more.begin(), more.end()); };
  if (seen.answered) {
    show_life(now, todo);
    answers_ = true;
    if (seen.serves && base_ != service_phase::ready)
      add(become_ready(now, seen.summary));
    else if (!seen.serves && (base_ == service_phase::ready || (base_ == service_phase::starting && seen.all_failed)))
      add(become_not_ready(seen.summary));
    else if (base_ != service_phase::starting)
      show_status(seen.serves ? seen.summary : "not ready: " + seen.summary, todo);
  } else {
    add(lose_answers(seen.summary));
  }
  observe_next(now);
  return todo;
}

void service_state::observe_next(time_point now) {
  const bool calm = base_ == service_phase::ready;
  const auto at_leisure = calm ? timing_.observe_every : timing_.observe_when_not_ready;
  next_observation_ = now + at_leisure;
  if (!timing_.watchdog) return;
  // A sign of life that is overdue is not asked for without a pause: the runtime may fail to answer at once.
  const auto hurried = std::min(timing_.observe_when_not_ready, *timing_.watchdog / 4);
  next_observation_ = std::max(now + hurried, std::min(next_observation_, next_sign_));
}

service_state::actions service_state::on_reload_asked(time_point now) {
  if (ending()) return {};
  if (reloading_) {
    // What is being read may be older than what is meant.
    reload_again_ = true;
    return {};
  }
  return start_reload(now);
}

service_state::actions service_state::start_reload(time_point now) {
  reloading_ = true;
  actions todo;
  if (told_ready_)
    todo.push_back(service_do::notify{"RELOADING=1\nMONOTONIC_USEC=" + microseconds_of(now.time_since_epoch())});
  todo.push_back(service_do::reload{});
  return todo;
}

service_state::actions service_state::on_reloaded(time_point now, const reload_outcome& outcome,
                                                  std::optional<duration> drain) {
  reloading_ = false;
  if (ending()) return {};
  timing_.drain = drain.value_or(timing_.drain);
  actions todo;
  const auto level = outcome.applied ? log_level::info : log_level::error;
  todo.push_back(service_do::say{level, outcome.applied ? "the configuration was read again and applied"
                                                        : "the configuration was refused, the earlier one stays"});
  for (const auto& line : outcome.lines) todo.push_back(service_do::say{level, line});
  // To the service manager this says that the reload has ended; whether a server serves is in the status.
  if (told_ready_) todo.push_back(service_do::notify{"READY=1\nSTATUS=" + status_});
  if (std::exchange(reload_again_, false)) {
    const auto again = start_reload(now);
    todo.insert(todo.end(), again.begin(), again.end());
  }
  return todo;
}

service_state::actions service_state::on_reopen_asked() { return {service_do::reopen_log{}}; }

service_state::actions service_state::on_drain_ordered(time_point now) {
  if (ending()) return {};
  actions todo{service_do::say{log_level::info, "a client has ordered the drain"}};
  const auto more = on_stop_asked(now);
  todo.insert(todo.end(), more.begin(), more.end());
  ordered_ = true;
  return todo;
}

service_state::actions service_state::on_stop_asked(time_point now) {
  if (base_ == service_phase::draining) {
    // Whoever sent the first signal is in no greater hurry than usual.
    if (std::exchange(ordered_, false)) return {service_do::say{log_level::info, "it is stopping already"}};
    base_ = service_phase::stopped;
    return {service_do::say{log_level::warning, "stopped at once, by a second signal"},
            service_do::end_at_once{exit_runtime}};
  }
  if (ending()) return {};
  base_ = service_phase::draining;
  give_up_ = now + as_limit(timing_.drain) + closing;
  const auto text = "stopping: what runs may take " + config::format_span(timing_.drain) + " to finish";
  return {service_do::notify{"STOPPING=1\nSTATUS=" + text + "\nEXTEND_TIMEOUT_USEC=" + microseconds_of(give_up_ - now)},
          service_do::say{log_level::info, text}, service_do::drain{}};
}

service_state::actions service_state::on_drained(bool clean) {
  if (base_ != service_phase::draining) return {};
  base_ = service_phase::stopped;
  return {clean ? service_do::say{log_level::info, "stopped"}
                : service_do::say{log_level::warning, "stopped; what had not finished in time was cut off"},
          service_do::end{exit_ok}};
}

service_state::actions service_state::become_ready(time_point now, const std::string& summary) {
  base_ = service_phase::ready;
  status_ = printable(summary);
  actions todo{service_do::say{log_level::info, "ready: " + summary}};
  if (std::exchange(told_ready_, true)) {
    todo.push_back(service_do::notify{"STATUS=" + status_});
  } else {
    todo.push_back(service_do::notify{"READY=1\nSTATUS=" + status_});
    // From now on the watchdog counts.
    next_sign_ = now + timing_.watchdog.value_or(duration{}) / 2;
  }
  return todo;
}

service_state::actions service_state::become_not_ready(const std::string& why) {
  if (base_ == service_phase::not_ready) return {};
  base_ = service_phase::not_ready;
  actions todo{service_do::say{log_level::warning, "not ready: " + why}};
  show_status("not ready: " + why, todo);
  return todo;
}

void service_state::show_status(const std::string& status, actions& todo) {
  auto shown = printable(status);
  if (shown == status_) return;
  status_ = std::move(shown);
  todo.push_back(service_do::notify{"STATUS=" + status_});
}

// Only what the runtime itself has just answered is a sign of life.
void service_state::show_life(time_point now, actions& todo) {
  if (now < next_sign_) return;
  if (!told_ready_) {
    todo.push_back(service_do::notify{"EXTEND_TIMEOUT_USEC=" + microseconds_of(more_time)});
    next_sign_ = now + more_time_every;
  } else if (timing_.watchdog) {
    todo.push_back(service_do::notify{"WATCHDOG=1"});
    next_sign_ = now + *timing_.watchdog / 2;
  }
}

service_state::actions service_state::fail(const std::string& why) {
  base_ = service_phase::stopped;
  return {service_do::say{log_level::error, why}, service_do::notify{"STOPPING=1\nSTATUS=" + printable(why)},
          service_do::end{exit_runtime}};
}

}  // namespace understudy::cli
