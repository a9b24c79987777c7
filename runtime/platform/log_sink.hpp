// Where log lines of a running service go: standard error, a file, or the host program.
#pragma once
#include "understudy/actors/ports/ports.hpp"
#include "understudy/runtime/platform/log_file.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace understudy::internal {

/// Writes lines on a thread of its own, so that a slow disk or terminal never holds up an actor; a bounded number wait,
/// what comes on top is counted and reported. Thread-safe.
class log_sink final : public log_port {
 public:
  /// Throws std::system_error when the file cannot be opened for appending.
  explicit log_sink(const log_settings& how, log_listener instead = {});
  ~log_sink() override { stop(); }

  bool enabled(log_level level) const override { return level <= level_.load(); }
  /// The least severe lines that are written from now on.
  void set_level(log_level level) noexcept { level_ = level; }
  void write(log_level level, std::string_view component, std::string_view text, const fields& more = {}) override;

  /// Writes what waits (for a second at most) and joins the thread; later lines are dropped. May be repeated.
  void stop();

 private:
  struct line {
    log_level level;
    std::string component;
    std::string text;
  };
  void run();
  void put_out(const line& l);

  log_settings how_;
  std::atomic<log_level> level_;
  log_listener listener_;
  log_file file_;  ///< standard error while there is a listener
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<line> waiting_;
  std::uint64_t lost_ = 0;
  bool stopping_ = false;
  std::atomic<time_point> last_call_{time_point::max()};  ///< when to give up what still waits
  std::thread thread_;
};

/// One line of text ("2026-01-31T08:00:00.123Z info pool: connection ready server=ldap1:389"), control characters
/// escaped, without the newline.
std::string text_line(wall_time at, log_level level, std::string_view component, std::string_view text,
                      const log_port::fields& more);
/// The same as one JSON object.
std::string json_line(wall_time at, log_level level, std::string_view component, std::string_view text,
                      const log_port::fields& more);

}  // namespace understudy::internal
