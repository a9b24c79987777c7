// A thread that looks at something now and then: see threshold_watch.hpp.
#include "understudy/runtime/threshold_watch.hpp"

#include "understudy/runtime/quiet_thread.hpp"

namespace understudy {

void threshold_watch::start(duration interval, std::function<void()> look) {
  std::lock_guard one_at_a_time{lifecycle_};
  join();
  std::lock_guard guard{mutex_};
  stopping_ = false;
  thread_ = quiet_thread("us.watch", [this, interval, look = std::move(look)] { run(interval, look); });
}

void threshold_watch::stop() {
  std::lock_guard one_at_a_time{lifecycle_};
  join();
}

void threshold_watch::join() {
  std::thread ending;
  {
    std::lock_guard guard{mutex_};
    stopping_ = true;
    ending.swap(thread_);
  }
  changed_.notify_all();
  if (ending.joinable()) ending.join();
}

bool threshold_watch::running() const {
  std::lock_guard guard{mutex_};
  return thread_.joinable();
}

void threshold_watch::run(duration interval, const std::function<void()>& look) {
  std::unique_lock lock{mutex_};
  while (!changed_.wait_for(lock, interval, [this] { return stopping_; })) {
    lock.unlock();
    look();
    lock.lock();
  }
}

}  // namespace understudy
