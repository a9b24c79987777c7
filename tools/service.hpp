// Carries out what service_state decides: threads, signals, the log, the service manager.
#pragma once
#include "understudy/runtime/platform/log_writer.hpp"
#include "understudy/runtime/platform/service_notifier.hpp"
#include "understudy/tools/interrupt.hpp"
#include "understudy/tools/job_thread.hpp"
#include "understudy/tools/service_orders.hpp"
#include "understudy/tools/service_part.hpp"

#include <array>
#include <memory>

namespace understudy::cli {

/// What a service is made of.
struct service_plan {
  std::vector<std::unique_ptr<service_part>> parts;  ///< at least one
  log_settings log;
  std::shared_ptr<internal::log_writer> writer;  ///< where the log's lines go: `log.file`, or standard error
  duration drain{};                              ///< how long what runs has to finish at the end
  /// The settings as they are written now; throws config_error with every problem, or an exception that says why there
  /// are none to read.
  std::function<settings()> read_again;
  std::shared_ptr<service_orders> orders = std::make_shared<service_orders>();  ///< of clients, by way of its parts
};

/// A service from its start to its end. Its own lines are lines of the log; when that is a file they are written to
/// standard error too.
class service {
 public:
  /// Throws std::system_error when there is no thread left.
  service(service_plan plan, const internal::service_notifier& manager, interrupt_watch& interrupts);
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  /// Runs until a signal ends it; returns the exit code. A second signal ends the process here.
  int run();

 private:
  using event = std::function<service_state::actions(time_point now)>;

  // On other threads:
  void post(event happened);
  void on_signal(int signal);
  void start_parts();
  void observe_parts();
  void reload_parts();
  void drain_parts();

  event next_event();
  event event_of_signal();
  void carry_out(const service_state::actions& todo);
  void carry_out(const service_do::start&);
  void carry_out(const service_do::observe&);
  void carry_out(const service_do::reload&);
  void carry_out(const service_do::drain&);
  void carry_out(const service_do::reopen_log&);
  void carry_out(const service_do::say& line);
  void carry_out(const service_do::notify& told);
  void carry_out(const service_do::end& how) { exit_code_ = how.code; }
  void carry_out(const service_do::end_at_once& how);

  const service_plan plan_;
  const internal::service_notifier& manager_;
  interrupt_watch& interrupts_;
  internal::log_file standard_error_;
  service_state state_;
  log_level level_;
  bool manager_deaf_ = false;
  std::optional<int> exit_code_;

  std::mutex mutex_;  ///< of what follows
  std::condition_variable changed_;
  std::deque<event> events_;
  /// Signals that have come and were not looked at. Two of a kind say as much as more.
  struct {
    int reload = 0, reopen = 0, stop = 0;
  } signals_;

  // They use the rest: they end before it.
  job_thread starter_{"us.start"}, observer_{"us.observe"}, changer_{"us.change"};
};

}  // namespace understudy::cli
