// What `understudy serve` does when: a state machine on injected time, without threads, signals or sockets.
#pragma once
#include "understudy/config/settings.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace understudy::cli {

/// Where a service is in its life.
enum class service_phase {
  starting,   ///< nothing has answered yet, and not everything has failed yet
  ready,      ///< a request sent now finds a server
  not_ready,  ///< none would; it stays up
  reloading,  ///< other settings are being applied; requests are served as before
  draining,   ///< nothing new is taken, what runs is finished
  stopped,    ///< the process ends
};

/// What asking the running parts found.
struct service_observation {
  bool answered = false;  ///< a message to the root supervisor came back in time: the runtime works
  bool ended = false;     ///< it has given up, and will never answer again
  bool serves = false;    ///< a request sent now would find a server
  /// Each server has failed since the start: there is nothing to wait for but that one of them returns.
  bool all_failed = false;
  std::string summary;  ///< one line for people: who serves, or why nobody does
};

/// How a change of the settings went.
struct reload_outcome {
  bool applied = false;            ///< else the earlier settings stay
  std::vector<std::string> lines;  ///< what has changed, or every reason why nothing has
};

/// What is to be done; carried out in order.
namespace service_do {
/// Start all parts, in the background; then on_started() or on_start_failed().
struct start {};
/// Ask the parts how they are, in the background; then on_observed().
struct observe {};
/// Read the configuration and apply it, in the background; then on_reloaded().
struct reload {};
/// Take nothing new, finish what runs, in the background; then on_drained().
struct drain {};
/// The log's file has been renamed.
struct reopen_log {};
/// Tell the operator: a line of the log.
struct say {
  log_level level = log_level::info;
  std::string text;
};
/// Tell the service manager: assignments of sd_notify(3), one a line.
struct notify {
  std::string assignments;
};
/// End the process with that exit code, all parts first.
struct end {
  int code = 0;
};
/// End the process with that exit code, whatever still runs.
struct end_at_once {
  int code = 0;
};
}  // namespace service_do
/// One of them.
using service_action =
    std::variant<service_do::start, service_do::observe, service_do::reload, service_do::drain, service_do::reopen_log,
                 service_do::say, service_do::notify, service_do::end, service_do::end_at_once>;

/// What a service has been told about time.
struct service_timing {
  duration drain{};                                     ///< how long what runs has to finish
  std::optional<duration> watchdog;                     ///< the service manager waits that long for a sign of life
  duration observe_every = seconds{1};                  ///< while it serves
  duration observe_when_not_ready = milliseconds{250};  ///< else
};

/// Decides; whoever holds it carries the actions out and tells it what came of them. At most one observation, one
/// change of the settings and one drain are under way at a time.
class service_state {
 public:
  using actions = std::vector<service_action>;

  explicit service_state(service_timing timing) : timing_(timing) {}

  service_phase phase() const noexcept;
  /// When on_time() is next due.
  time_point next_event() const noexcept;

  actions begin(time_point now);
  actions on_time(time_point now);
  /// All parts have started; `connected`: a server answered, else why none did.
  actions on_started(time_point now, bool connected, const std::string& why);
  /// They could not be started at all.
  actions on_start_failed(const std::string& why);
  actions on_observed(time_point now, const service_observation& seen);
  /// SIGHUP.
  actions on_reload_asked(time_point now);
  /// `drain`: how long what runs has to finish at the end, from now on; nothing: as before.
  actions on_reloaded(time_point now, const reload_outcome& outcome, std::optional<duration> drain = std::nullopt);
  /// SIGUSR1.
  actions on_reopen_asked();
  /// SIGTERM, SIGINT.
  actions on_stop_asked(time_point now);
  /// A client of the node: as the first SIGTERM. When it is draining already nothing changes.
  actions on_drain_ordered(time_point now);
  /// `clean`: nothing had to be cut off.
  actions on_drained(bool clean);

 private:
  bool ending() const noexcept { return base_ == service_phase::draining || base_ == service_phase::stopped; }
  actions become_ready(time_point now, const std::string& summary);
  actions become_not_ready(const std::string& why);
  service_do::observe observe(time_point now);
  void observe_next(time_point now);
  actions lose_answers(const std::string& why);
  void show_life(time_point now, actions& todo);
  void show_status(const std::string& status, actions& todo);
  actions start_reload(time_point now);
  actions fail(const std::string& why);

  service_timing timing_;
  service_phase base_ = service_phase::starting;  ///< but for a reload
  bool observing_ = false, answers_ = true, told_ready_ = false;
  bool reloading_ = false, reload_again_ = false;
  bool ordered_ = false;  ///< the drain was a client's, and no signal has come yet
  std::string status_;    ///< as last told
  time_point next_observation_{}, observing_since_{}, next_sign_{}, give_up_{};
};

}  // namespace understudy::cli
