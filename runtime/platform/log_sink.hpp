// Where log lines of a running service go: standard error, a file, or the host program.
#pragma once
#include "understudy/actors/ports/ports.hpp"
#include "understudy/runtime/platform/log_file.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace understudy::internal {

/// Writes lines on a thread of its own, so that a slow disk or terminal never holds up an actor. A bounded number wait;
/// what comes on top, or cannot be written (a full disk, a pipe whose reader has gone), is counted: the log says so
/// when it can be written again, and standard error when it begins, once a minute at most. Thread-safe.
class log_sink final : public log_port {
 public:
  /// Throws ldap_exception (invalid_config, or local_resources) when the file cannot be opened for appending.
  explicit log_sink(const log_settings& how, log_listener instead = {});
  ~log_sink() override { stop(); }

  bool enabled(log_level level) const override { return level <= level_.load(); }
  /// The least severe lines that are written from now on.
  void set_level(log_level level) noexcept { level_ = level; }
  void write(log_level level, std::string_view component, std::string_view text, const fields& more = {}) override;

  /// How many lines could not be written of which the log does not tell yet.
  std::uint64_t lost() const noexcept { return lost_; }

  /// Writes what waits (for a second at most) and joins the thread; later lines are dropped. May be repeated.
  void stop();

 private:
  struct line {
    log_level level;
    std::string component;
    std::string text;
  };
  std::string format(log_level level, std::string_view component, std::string_view text, const fields& more) const;
  // On the thread:
  void run();
  bool is_late() const;
  bool put_out(const line& l);
  void lose(std::uint64_t lines, const std::string& problem);
  bool tell_lost();
  void sound_alarm(const std::string& text) const;

  log_settings how_;
  std::atomic<log_level> level_;
  log_listener listener_;
  log_file file_;  ///< standard error while there is a listener
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<line> waiting_;
  std::uint64_t overflowed_ = 0;  ///< lines that found no room in `waiting_`
  bool stopping_ = false;
  std::atomic<time_point> last_call_{time_point::max()};  ///< when to give up what still waits
  std::atomic<std::uint64_t> lost_{0};
  std::thread thread_;
  // Of the thread alone:
  std::string problem_;  ///< why the latest was
  time_point next_alarm_{};
};

/// One line of text ("2026-01-31T08:00:00.123Z info pool: connection ready server=ldap1:389"), control characters
/// escaped, without the newline.
std::string text_line(wall_time at, log_level level, std::string_view component, std::string_view text,
                      const log_port::fields& more);
/// The same as one JSON object.
std::string json_line(wall_time at, log_level level, std::string_view component, std::string_view text,
                      const log_port::fields& more);
/// Either of them, as the log's format is.
std::string log_line(log_format as, wall_time at, log_level level, std::string_view component, std::string_view text,
                     const log_port::fields& more);

}  // namespace understudy::internal
