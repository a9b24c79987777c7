// Where log lines of a running service go: standard error, a file, or the host program.
#pragma once
#include "understudy/actors/ports/ports.hpp"
#include "understudy/runtime/platform/event_history.hpp"
#include "understudy/runtime/platform/log_writer.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace understudy::internal {

/// Writes lines on a thread of its own, so that a slow disk or terminal never holds up an actor. A bounded number wait;
/// what comes on top is lost and counted as what cannot be written (log_writer). Thread-safe.
class log_sink final : public log_port {
 public:
  /// Throws ldap_exception (invalid_config, or local_resources) when the file cannot be opened for appending.
  /// `on_event` is told what goes into `events`, on the log's thread, whatever the log's level is.
  explicit log_sink(const log_settings& how, log_listener instead = {}, std::shared_ptr<event_history> events = nullptr,
                    event_listener on_event = {});
  ~log_sink() override { stop(); }

  bool enabled(log_level level) const override { return level <= level_.load(); }
  /// The least severe lines that are written from now on.
  void set_level(log_level level) noexcept { level_ = level; }
  void write(log_level level, std::string_view component, std::string_view text, const fields& more = {}) override;

  /// How many lines could not be written of which the log does not tell yet.
  std::uint64_t lost() const noexcept { return writer_.lost(); }

  /// Writes what waits (for a second at most) and joins the thread; later lines are dropped. May be repeated.
  void stop();

 private:
  struct line {
    log_level level;
    std::string component;
    std::string text;  ///< empty: it is not for the log
    std::optional<runtime_event> event = std::nullopt;
  };
  // On the thread:
  void run();
  void tell(const runtime_event& event);
  bool is_late() const;

  const log_format format_;
  std::atomic<log_level> level_;
  log_writer writer_;
  const std::shared_ptr<event_history> events_;
  const event_listener on_event_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<line> waiting_;
  std::uint64_t overflowed_ = 0;  ///< lines that found no room in `waiting_`
  bool stopping_ = false;
  std::atomic<time_point> last_call_{time_point::max()};  ///< when to give up what still waits
  std::thread thread_;
};

}  // namespace understudy::internal
