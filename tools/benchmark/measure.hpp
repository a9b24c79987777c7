// What a client process measures of itself: throughput, latency, processor time, context switches, memory.
#pragma once
#include "understudy/actors/metrics/registry.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <string>

namespace understudy::benchmark {

using namespace internal;

using clock = std::chrono::steady_clock;

/// Processor time and context switches of this process since its start, its resident memory now.
struct usage {
  double cpu_seconds = 0;
  long voluntary = 0, involuntary = 0;
  long resident_kib = 0;
  static usage now();
  /// The same of another process, without its context switches. What its threads that have ended used does not count.
  static usage of(int pid);
};

/// Times operations of any number of threads during a window, after a warm-up that is not counted.
class meter {
 public:
  /// An operation that began at `since` has ended. Thread-safe.
  void done(clock::time_point since) noexcept {
    if (measuring_.load(std::memory_order_relaxed)) latency_.add(clock::now() - since);
  }
  /// One that failed; any makes the run worthless, and the report says so.
  void failed() noexcept { failures_.fetch_add(1, std::memory_order_relaxed); }
  /// True when the workload is to end. Thread-safe.
  bool over() const noexcept { return over_.load(std::memory_order_relaxed); }

  /// Also measures that process, through which the operations go; before the window begins.
  void watch(int pid) noexcept { watched_ = pid; }

  /// The controlling thread: waits out the warm-up and the window, then says that it is over.
  void run(double warm_up_seconds, double seconds);
  /// Instead of run(): the window is from start() to stop().
  void start();
  void stop();

  /// One line of JSON, with `more` ("\"key\": value") added.
  void print(const std::string& more = {}) const;

 private:
  latency_histogram latency_;
  std::atomic<bool> measuring_{false}, over_{false};
  std::atomic<std::uint64_t> failures_{0};
  int watched_ = 0;
  usage before_, after_, watched_before_, watched_after_;
  clock::time_point began_, ended_;
};

/// "(uid=userN)", N going through 0 … 9999 in a scattered order; the same for every client.
std::string scattered_filter(std::uint64_t turn);
int scattered_user(std::uint64_t turn);
/// The tree of the benchmark's servers.
inline constexpr const char* base_dn = "dc=example,dc=com";
inline constexpr const char* service_dn = "cn=admin,dc=example,dc=com";
inline constexpr const char* service_password = "secret";

}  // namespace understudy::benchmark
