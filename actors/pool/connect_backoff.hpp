// When connects may be tried: rounds of them, the verdict on each round, and the backoff between failing ones.
#pragma once
#include "understudy/actors/ports/backoff.hpp"

#include <algorithm>
#include <optional>

namespace understudy::internal {

/// Connects of one kind come in rounds: those opened until one of them fails (or all have ended). A round fails with
/// its first failure when none of it has succeeded; that is one failure of the server, however many connects ran.
/// The next round begins `base` later (and up to a tenth of it, at random) for those who wait: theirs are counted
/// retries. While nobody waits the pause grows.
class connect_backoff {
 public:
  /// The longest pause on top of `base`.
  static constexpr duration cap = seconds{30};
  /// The first pause after a connection on which the server broke the protocol.
  static constexpr duration break_pause = milliseconds{100};

  explicit connect_backoff(duration base) noexcept : base_(base), backoff_(base, cap), early_ends_(base, cap) {}

  /// The pause between retries from now on; one that has begun is not longer for that, and shorter when this is.
  void set_base(duration base) noexcept;
  /// True when a connect may be started. `waited_for`: by somebody; then the pause is shorter.
  bool may_open(time_point now, bool waited_for) const noexcept { return now >= retry_at(waited_for); }
  /// Notes that one is started; the number of the round it belongs to.
  std::uint64_t open() noexcept;
  /// One of round `round` became ready after `took`.
  void succeed(std::uint64_t round, duration took) noexcept;
  /// One of round `round` failed. True when that decides its round: report it, and do not let anybody wait for it.
  bool fail(std::uint64_t round, time_point now, const random_source& random, duration pause_at_most = duration::max());
  /// One that had become ready at `ready` ended before it was of any use. Those that end together are one event, which
  /// may happen; from the next one on connects pause as after failed rounds.
  void end_early(time_point ready, time_point now, const random_source& random);
  /// One that had become ready at `ready`, and not long before, ended because the server broke the protocol: it
  /// answers, and yet each connection is of little use. No connect for `break_pause`, twice as long with each
  /// repetition, `base` (or `break_pause`, if longer) and a tenth at most. Those that were open together are one
  /// repetition.
  void break_protocol(time_point ready, time_point now, const random_source& random);
  /// One was of use.
  void prove() noexcept;
  /// One ended otherwise: it was told to close.
  void abandon() noexcept;
  /// The server is said to be well: the next connect need not wait for longer than `spread`, at random.
  void reset(time_point now, const random_source& random, duration spread) noexcept;
  /// One whose set-up hangs is given up on, or another is begun beside it: the next one gets twice the time.
  void lose_patience() noexcept { ++impatience_; }
  /// How long a step of setting up may take, `usual` at first, before somebody who waits gets another connection.
  duration patience(duration usual, duration at_most) const noexcept;
  /// No connect before `when`.
  void hold_until(time_point when) noexcept;

  /// True between a failed round and the next success.
  bool failing() const noexcept { return backoff_.failures() > 0; }
  time_point retry_at(bool waited_for) const noexcept {
    return std::max({waited_for ? retry_waited_at_ : retry_at_, early_retry_at_, held_until_});
  }
  /// About how long a connect takes: a moving average.
  duration typical_connect() const noexcept { return typical_; }

 private:
  duration base_;
  backoff backoff_;  ///< on top of it, while nobody waits
  backoff early_ends_;
  time_point retry_at_{}, retry_waited_at_{};  ///< pauses since failed_at_
  time_point failed_at_{};                     ///< when the last round failed
  time_point early_retry_at_{};                ///< a pause since ended_at_
  time_point ended_at_{};                      ///< when one last ended early or broke the protocol
  time_point held_until_{};                    ///< no pause of `base`: what was ordered
  std::optional<time_point> ended_early_;      ///< the last one, since one was of use
  std::optional<time_point> broken_;           ///< the same, for breaches of the protocol
  std::uint64_t breaches_ = 0;                 ///< of these, those that were no part of an earlier one
  duration typical_ = milliseconds{50};
  std::uint64_t round_ = 1;
  std::uint32_t impatience_ = 0;   ///< set-ups that were not waited for since the last success
  std::uint32_t outstanding_ = 0;  ///< connects of any round that have not ended
  bool decided_ = false;           ///< the current round has failed: the next connect starts another
  bool succeeded_ = false;         ///< one of the current round became ready
};

}  // namespace understudy::internal
