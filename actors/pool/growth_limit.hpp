// How many connections a server (or this machine) lets us have, learnt from connects that failed beside open ones.
#pragma once
#include "understudy/actors/ports/backoff.hpp"

#include <limits>

namespace understudy::internal {

/// A connect that fails while open connections answer says nothing against the server: it says that there are enough.
/// What is open goes on; more is tried again after a pause that grows.
class growth_limit {
 public:
  /// The longest pause.
  static constexpr duration cap = seconds{30};

  explicit growth_limit(duration base) noexcept : backoff_(base, cap) {}

  /// The first pause from now on.
  void set_base(duration base) noexcept { backoff_.set_base(base); }
  /// One more than `open` sockets could not be had. True when no limit was known before.
  bool met(std::uint32_t open, time_point now, const random_source& random);
  /// `open` sockets are there. True when that is more than the limit said: it is forgotten.
  bool passed(std::uint32_t open) noexcept;
  /// Forgets a limit that nothing has met for long.
  void expire(time_point now) noexcept;
  void forget() noexcept;

  /// Sockets that are known to be had.
  std::uint32_t certain() const noexcept { return known() ? limit_ : std::numeric_limits<std::uint32_t>::max(); }
  /// Sockets that may be open at `now`; one more once it is time to try.
  std::uint32_t most(time_point now) const noexcept { return known() && now >= retry_at_ ? limit_ + 1 : certain(); }
  bool known() const noexcept { return limit_ != 0; }
  /// 0: none is known.
  std::uint32_t limit() const noexcept { return limit_; }
  time_point retry_at() const noexcept { return retry_at_; }

 private:
  backoff backoff_;
  std::uint32_t limit_ = 0;
  time_point retry_at_{};
};

}  // namespace understudy::internal
