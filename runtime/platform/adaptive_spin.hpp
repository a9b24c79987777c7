// How long a thread looks for what it waits for before it sleeps: as long as that has paid lately.
#pragma once
#include "understudy/messages/time.hpp"

#include <algorithm>

namespace understudy::internal {

/// Waking a sleeping thread costs tens of microseconds on most machines, several times what an answer takes to handle.
/// Where answers come faster than that, looking for them instead of sleeping saves two wake-ups a round trip; where
/// they do not, it would only burn the processor. The window follows what was seen, as halt polling of hypervisors
/// does.
class adaptive_spin {
 public:
  /// Twice what eight blocking callers wait for answers that take no time: with less, callers who once sleep would
  /// never be quick enough to look again.
  static constexpr duration longest = std::chrono::microseconds{200}, shortest = std::chrono::microseconds{5};

  explicit adaptive_spin(duration length = {}) noexcept : length_(length) {}

  /// Look for so long before the next sleep; zero: sleep at once.
  duration length() const noexcept { return length_; }
  /// Nothing came within length(), and something after `waited` in all.
  void slept(duration waited) noexcept {
    length_ = waited < longest ? std::clamp(2 * length_, 2 * shortest, longest) : length_ / 2;
    if (length_ < shortest) length_ = duration::zero();
  }

 private:
  duration length_;
};

}  // namespace understudy::internal
