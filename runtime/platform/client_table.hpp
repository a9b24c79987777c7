// Who is in at a service of ours: entered by one thread, left by another, waited for by a third.
#pragma once
#include "understudy/messages/time.hpp"

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

namespace understudy::internal {

/// Thread-safe. What is passed to visit() and enter() runs with the lock: it must not call back.
template <class Client>
class client_table {
 public:
  using clients = std::map<std::uint64_t, Client>;

  std::uint64_t next_number() {
    const std::lock_guard lock{mutex_};
    return ++last_;
  }
  /// False: nobody comes in any more. One that has left before is not kept. `look` sees all, once it is in.
  template <class Look>
  bool enter(std::uint64_t number, Client client, Look look) {
    const std::lock_guard lock{mutex_};
    if (closed_) return false;
    if (gone_early_.erase(number) > 0) return true;
    all_.emplace(number, std::move(client));
    look(all_);
    return true;
  }
  bool enter(std::uint64_t number, Client client) {
    return enter(number, std::move(client), [](clients&) {});
  }
  void leave(std::uint64_t number) {
    std::optional<Client> held;  // its end is nothing to be waited for with the lock
    const std::lock_guard lock{mutex_};
    const auto found = all_.find(number);
    if (found == all_.end()) {
      gone_early_.insert(number);
      return;
    }
    held = std::move(found->second);
    all_.erase(found);
    if (all_.empty()) changed_.notify_all();
  }
  std::size_t count() const {
    const std::lock_guard lock{mutex_};
    return all_.size();
  }
  template <class Visit>
  void visit(Visit visit) {
    const std::lock_guard lock{mutex_};
    for (auto& [number, each] : all_) visit(each);
  }
  /// Nobody comes in from now on.
  void close() {
    const std::lock_guard lock{mutex_};
    closed_ = true;
  }
  /// True when all have left within that time.
  bool wait(duration limit) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, limit, [this] { return all_.empty(); });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  clients all_;
  std::uint64_t last_ = 0;
  std::set<std::uint64_t> gone_early_;
  bool closed_ = false;
};

}  // namespace understudy::internal
