// How long a server usually takes.
#pragma once
#include "understudy/messages/time.hpp"

#include <atomic>

namespace understudy {

/// How long one server usually takes, learnt from what it answered; silence is judged by it. Connections write, the
/// monitor and the breaker read.
class server_pace {
 public:
  /// It answered something small (a bind, a read of the root DSE) after `took`.
  void answered(duration took) noexcept { note(answer_, took); }
  /// A connection became ready `took` after it was begun, without a wait for anything of ours.
  void connected(duration took) noexcept { note(connect_, took); }
  /// Twice what a probe usually takes, lately: a read on an open connection, or a connect and a read. Zero until
  /// something was noted.
  duration patience(bool connected) const noexcept {
    const auto usual =
        answer_.load(std::memory_order_relaxed) + (connected ? 0 : connect_.load(std::memory_order_relaxed));
    return 2 * duration{usual};
  }

  /// Something of the server's came at `now`, on whichever connection.
  void heard(time_point now) noexcept { heard_at_.store(now, std::memory_order_relaxed); }
  /// When that was last.
  time_point heard_at() const noexcept { return heard_at_.load(std::memory_order_relaxed); }
  /// It answers the requests of one connection in turn: one that takes long holds up the others, and their silence says
  /// nothing. Believed for a while, since a connection that hung for a moment looks the same.
  void note_in_turn(time_point now) noexcept { in_turn_until_.store(now + std::chrono::minutes{10}); }
  /// True while that is believed.
  bool answers_in_turn(time_point now) const noexcept { return now < in_turn_until_.load(std::memory_order_relaxed); }

  /// A bind of the service was sent at `now` …
  void bind_sent(time_point now) noexcept {
    if (binds_.fetch_add(1, std::memory_order_relaxed) == 0) bind_since_.store(now, std::memory_order_relaxed);
  }
  /// … and is over at `now`: answered, or given up with its connection.
  void bind_over(bool answered, time_point now) noexcept {
    binds_.fetch_sub(1, std::memory_order_relaxed);
    if (answered) bind_since_.store(now, std::memory_order_relaxed);
  }
  /// For how long the server has owed an answer to binds of the service, and given none; zero when it owes none.
  duration bind_unanswered_for(time_point now) const noexcept {
    if (binds_.load(std::memory_order_relaxed) <= 0) return {};
    return now - bind_since_.load(std::memory_order_relaxed);
  }

 private:
  using average = std::atomic<duration::rep>;
  /// Of two that write at once one is lost, and the average is none the worse. The latest few count: a pause that is
  /// over should not be remembered.
  static void note(average& of, duration took) noexcept {
    const auto was = of.load(std::memory_order_relaxed);
    of.store(was == 0 ? took.count() : (was + took.count()) / 2, std::memory_order_relaxed);
  }

  average answer_{0}, connect_{0};
  std::atomic<int> binds_{0};  ///< under way
  std::atomic<time_point> bind_since_{}, heard_at_{}, in_turn_until_{};
};

}  // namespace understudy
