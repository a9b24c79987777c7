// Which of those who ask for the state share one gathering of it.
#pragma once
#include "understudy/messages/time.hpp"

#include <cstdint>
#include <optional>

namespace understudy::internal {

/// A gathering asks every actor: however many consoles and scrapers there are, they cost one in `span`. On injected
/// time.
class state_sharing {
 public:
  static constexpr milliseconds span{100};

  struct share {
    std::uint64_t gathering = 0;  ///< that answers; its number
    bool begins = false;          ///< it has to be begun now
  };
  /// Somebody asks. A gathering is shared for `span` from its beginning on, under way or done: no state is shown that
  /// is older.
  share ask(time_point now) noexcept {
    const bool begins = !began_ || now - *began_ >= span;
    if (begins) {
      ++latest_;
      began_ = now;
    }
    return {latest_, begins};
  }
  /// The latest one failed, or something was changed: who asks from now on gets another one.
  void forget() noexcept { began_.reset(); }
  /// The number of the latest one.
  std::uint64_t latest() const noexcept { return latest_; }

 private:
  std::uint64_t latest_ = 0;
  std::optional<time_point> began_;  ///< of the latest, while it may be shared
};

}  // namespace understudy::internal
