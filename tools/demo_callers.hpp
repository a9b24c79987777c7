// The audience of the demonstration: callers that search all the time and watch who answers, how fast.
#pragma once
#include "understudy/runtime/directory.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace understudy::cli {

/// What callers saw since a certain moment.
struct demo_observation {
  std::map<std::string, std::uint64_t> answers;  ///< by server
  std::uint64_t failed = 0;
  std::string last_failure;
  duration slowest{};
  /// When the first answer of each server came.
  std::map<std::string, time_point> first;

  std::uint64_t total() const;
};

/// Threads that each search for one user after another, from construction to destruction.
class demo_callers {
 public:
  demo_callers(directory& where, int callers, const std::string& base, int users);
  ~demo_callers();
  demo_callers(const demo_callers&) = delete;
  demo_callers& operator=(const demo_callers&) = delete;

  /// Since the last next_observation().
  demo_observation so_far() const;
  /// What was seen until now; counting starts again.
  demo_observation next_observation();

 private:
  void search_on(int first_user, const std::string& base, int users);
  void note(const outcome& found, duration took, time_point now);

  directory& where_;
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  demo_observation seen_;
  std::vector<std::thread> threads_;
};

}  // namespace understudy::cli
