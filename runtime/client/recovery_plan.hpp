// How often and when a caller tries again after an error that may pass; plain arithmetic.
#pragma once
#include "understudy/config/settings.hpp"
#include "understudy/messages/error.hpp"

#include <optional>

namespace understudy::internal {

/// The attempts of one connect(): `reconnect_attempts` of them, at least one, `reconnect_delay` apart; a single one
/// without `auto_reconnect`.
class connect_plan {
 public:
  explicit connect_plan(const recovery_settings& how);

  /// How long to pause before the next attempt; nothing when `why` is the last word.
  std::optional<duration> next(const failure& why, duration time_left);

 private:
  int left_;
  duration pause_;
};

/// The attempts that one request has left. What failed because a connection was lost, or could not be made, is tried
/// again up to `reconnect_attempts` times, `reconnect_delay` apart; what was refused because every server is known to
/// be down, or by a server that is busy, `recovery_attempts` times, `recovery_delay` apart. The first failure decides
/// which of the two it is for the rest, so no caller waits for both. Nothing that may have been carried out is tried
/// again.
class recovery_plan {
 public:
  explicit recovery_plan(const recovery_settings& how);

  /// How long to pause before the next attempt; nothing when `why` is the request's last word.
  std::optional<duration> next(const failure& why, duration time_left);
  /// `why`, which says what was waited for when anything was; `span`: since the first failure.
  failure_ptr last_word(const failure_ptr& why, duration span) const;

 private:
  struct series {
    int attempts = 0;
    duration pause{};
    std::string_view option;  ///< that says how many
  };
  enum class kind : std::uint8_t { undecided, reconnect, recover };
  const series& chosen() const { return chosen_ == kind::reconnect ? reconnect_ : recover_; }

  series reconnect_, recover_;
  kind chosen_ = kind::undecided;
  int tried_ = 0;
};

}  // namespace understudy::internal
