// A thread that looks at something now and then: see periodic_thread.hpp.
#include "understudy/runtime/platform/periodic_thread.hpp"

#include "understudy/runtime/platform/callback_thread.hpp"
#include "understudy/runtime/platform/signal_masked_thread.hpp"

namespace understudy::internal {

void periodic_thread::start(duration interval, std::function<void()> look) {
  end_all();
  std::lock_guard guard{mutex_};
  running_ = true;
  auto& mine = watchers_.emplace_back();
  try {
    mine.thread = signal_masked_thread("us.watch", [this, &mine, generation = ++generation_, interval,
                                                    look = std::move(look)] { run(mine, generation, interval, look); });
  } catch (...) {
    running_ = false;
    watchers_.pop_back();
    throw;
  }
}

void periodic_thread::stop() { end_all(); }

/// Joins those that have ended, and the others too where that may be waited for.
void periodic_thread::end_all() {
  const bool wait = callback_thread::may_wait_for_the_end();
  std::list<watcher> ended;
  std::unique_lock lock{mutex_};
  ++generation_;
  running_ = false;
  changed_.notify_all();
  if (wait)
    changed_.wait(lock,
                  [this] { return std::all_of(watchers_.begin(), watchers_.end(), std::mem_fn(&watcher::done)); });
  for (auto it = watchers_.begin(); it != watchers_.end();) {
    const auto each = it++;
    if (each->done) ended.splice(ended.end(), watchers_, each);
  }
  lock.unlock();
  for (auto& each : ended) each.thread.join();
}

void periodic_thread::run(watcher& me, std::uint64_t generation, duration interval, const std::function<void()>& look) {
  std::unique_lock lock{mutex_};
  while (!changed_.wait_for(lock, interval, [&] { return generation_ != generation; })) {
    lock.unlock();
    look();
    lock.lock();
  }
  me.done = true;
  changed_.notify_all();
}

}  // namespace understudy::internal
