// The load of a cell: requests at a steady rate, whatever becomes of them, each noted with every outcome it gets.
#pragma once
#include "matrix/rule.hpp"
#include "understudy/runtime/connection_manager.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <thread>

namespace understudy::matrix {

/// Sends from a thread of its own. Mostly reads, some with a deadline too short to be served by another server, a few
/// writes and users' binds.
class request_log {
 public:
  /// `patience`: the deadline of most.
  request_log(directory& to, duration patience) : to_(to), patience_(patience) {}
  ~request_log() { stop(); }
  request_log(const request_log&) = delete;
  request_log& operator=(const request_log&) = delete;

  void start();
  /// Waits until a request is begun at `until` or later: it met what lasted so long.
  void outlast(time_point until) const;
  /// Sends nothing new.
  void stop();
  /// Waits until each has its outcome, or has been without one for long enough after its deadline.
  void settle() const;
  std::vector<request_note> all() const;
  /// The first read served by `server` that was begun at `since` or later.
  std::optional<time_point> first_served(const std::string& server, time_point since) const;
  /// How many of those that were begun at `since` or later were served.
  std::size_t served(time_point since = {}) const;

 private:
  void send();
  void note(std::size_t number, const outcome& answer);

  directory& to_;
  duration patience_;
  mutable std::mutex guard_;
  std::deque<request_note> notes_;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace understudy::matrix
