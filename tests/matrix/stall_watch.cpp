// Sleeping and looking at the clock.
#include "matrix/stall_watch.hpp"

#include <algorithm>

namespace understudy::matrix {
namespace {

constexpr milliseconds nap{2};
constexpr milliseconds usual{1};  // that any sleep is late

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

}  // namespace understudy::matrix
