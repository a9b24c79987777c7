// How often and when a request is tried again after an error that may pass; plain arithmetic.
#pragma once
#include "understudy/config/settings.hpp"
#include "understudy/messages/error.hpp"

#include <optional>

namespace understudy {

/// The attempts that one request has left. Tried again is what failed because a connection could not be made or was
/// lost before anything happened; not what was refused at once because every server is known to be down (that error
/// says when to come back), and nothing that may have been carried out.
class recovery_plan {
 public:
  explicit recovery_plan(const recovery_settings& how);

  /// How long to pause before the next attempt; nothing when `why` is the request's last word. The pauses grow by five
  /// up to `recovery_delay`: with the defaults 200 ms, 1 s, 5 s.
  std::optional<duration> next(const failure& why, duration time_left);

 private:
  int left_;
  duration longest_;
};

}  // namespace understudy
