// Where log lines are written, and the count of those that were lost.
#pragma once
#include "understudy/actors/ports/ports.hpp"
#include "understudy/runtime/platform/log_file.hpp"

#include <atomic>
#include <mutex>

namespace understudy::internal {

/// Writes finished lines to the log's file, standard error or the host program, in the caller's thread. One that cannot
/// be written (a full disk, a pipe whose reader has gone) is counted: the log says so when it can be written again, and
/// standard error when it begins, once a minute at most, where the log goes to a file. Thread-safe.
class log_writer {
 public:
  /// Throws ldap_exception (invalid_config, or local_resources) when the file cannot be opened for appending.
  explicit log_writer(const log_settings& how, log_listener instead = {});

  /// `line`: as it is to stand there. Before it the log tells of those that were lost, if any. Takes half a second at
  /// most.
  void write(log_level level, std::string_view component, const std::string& line);
  /// So many were not even tried, because of `problem`.
  void note_lost(std::uint64_t lines, const std::string& problem);
  /// Has the log tell now how many were lost, if any and if it can be written.
  void tell_lost();
  /// The log's end: standard error tells how many were lost of which the log does not.
  void end();
  /// Opens the file anew, after whoever rotates logs has renamed it. Throws as the constructor does; the earlier file
  /// stays then.
  void reopen();

  /// How many lines could not be written of which the log does not tell yet.
  std::uint64_t lost() const noexcept { return lost_; }

 private:
  // With the mutex:
  void count_lost(std::uint64_t lines);
  bool told_lost();
  bool put_out(log_level level, std::string_view component, const std::string& line);
  std::string own_line(log_level level, const std::string& text, const log_port::fields& more = {}) const;
  void sound_alarm(const std::string& text) const;

  const log_settings how_;
  const log_listener listener_;
  std::mutex mutex_;  ///< of all that follows
  log_file file_;     ///< standard error while there is a listener
  std::atomic<std::uint64_t> lost_{0};
  std::string problem_;  ///< why the latest was
  time_point next_alarm_{};
};

}  // namespace understudy::internal
