// Sleeping and looking at the clock.
#include "support/stall_watch.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace understudy::test {
namespace {

constexpr milliseconds nap{2};
constexpr milliseconds usual{1};  // that any sleep is late

/// How long each thread of a process was kept waiting for a processor until now, in nanoseconds.
std::map<pid_t, std::int64_t> waits_of(pid_t process) {
  std::map<pid_t, std::int64_t> found;
  std::error_code gone;  // threads come and go
  for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task", gone)) {
    std::int64_t ran = 0, waited = 0;  // sched-stats.rst of the kernel's documentation
    if (std::ifstream(thread.path() / "schedstat") >> ran >> waited)
      found[static_cast<pid_t>(std::stol(thread.path().filename().string()))] = waited;
  }
  return found;
}

}  // namespace

stall_watch::stall_watch() : thread_([this] { watch(); }) {}

stall_watch::~stall_watch() {
  over_ = true;
  thread_.join();
}

void stall_watch::watch() {
  while (!over_) {
    const auto due = std::chrono::steady_clock::now() + nap;
    std::this_thread::sleep_until(due);
    const auto woke = std::chrono::steady_clock::now();
    if (woke - due <= usual) continue;
    const std::lock_guard lock(guard_);
    stalls_.push_back({due, woke});
  }
}

duration stall_watch::stalled(time_point from, time_point to) const {
  const std::lock_guard lock(guard_);
  duration sum{};
  for (const auto& one : stalls_) {
    const auto begin = std::max(one.due, from), end = std::min(one.woke, to);
    if (begin < end) sum += end - begin;
  }
  return sum;
}

processor_waits::processor_waits() : processor_waits(::getpid()) {}

processor_waits::processor_waits(pid_t process) : process_(process), before_(waits_of(process)) {}

duration processor_waits::longest() const {
  std::int64_t longest = 0;
  for (const auto& [thread, waited] : waits_of(process_)) {
    const auto known = before_.find(thread);
    longest = std::max(longest, waited - (known == before_.end() ? 0 : known->second));
  }
  return std::chrono::nanoseconds{longest};
}

void stopwatch::learn() {
  waits_ = {};
  learns_from_ = std::chrono::steady_clock::now();
}

duration stopwatch::elapsed() const {
  const auto now = std::chrono::steady_clock::now();
  return now - began_ - std::max(stalls_.stalled(learns_from_, now), waits_.longest());
}

duration longest_processor_wait() { return longest_processor_wait(::getpid()); }

duration longest_processor_wait(pid_t process) {
  std::int64_t longest = 0;
  for (const auto& [thread, waited] : waits_of(process)) longest = std::max(longest, waited);
  return std::chrono::nanoseconds{longest};
}

}  // namespace understudy::test
