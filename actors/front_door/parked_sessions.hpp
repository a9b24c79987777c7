// The connections that users hold while they ask nothing: which of them is given up first when another one is needed.
#pragma once
#include "understudy/messages/call.hpp"
#include "understudy/messages/time.hpp"

#include <functional>
#include <map>
#include <mutex>

namespace understudy::internal {

/// Shared by all clients of a front door; thread-safe, on injected time.
class parked_sessions {
 public:
  using key = std::uint64_t;

  /// That client's connection to `server` has been idle since then; `give_up` is called, on the thread of who needs
  /// one, to have it given up. Replaces what was known of it. Must not call back.
  void park(key client, server_id server, time_point since, std::function<void()> give_up);
  /// It is in use, or returned.
  void take(key client);

  /// Has the connection to `server` given up that has been idle for longest, if that is `least_idle` or more, and at
  /// least `least_parked` are parked there. True when one was told; it counts as parked no more.
  bool give_up_oldest(server_id server, std::size_t least_parked, duration least_idle, time_point now);

  std::size_t count() const;

 private:
  struct session {
    server_id server = 0;
    time_point since{};
    std::function<void()> give_up;
  };
  mutable std::mutex mutex_;  // of what follows
  std::map<key, session> all_;
};

}  // namespace understudy::internal
