// A look at all servers that are known to fail, when the last one that serves goes.
#pragma once
#include "understudy/messages/call.hpp"

#include <optional>
#include <vector>

namespace understudy::internal {

/// What was found out about a server while another one served may be minutes old: a server that is up again is probed
/// on a schedule that grows. When nothing else serves, all of them are probed at once, and whoever has time waits for
/// that. Once a second at the most. Pure: time comes in with each call.
class fresh_look {
 public:
  /// Begins one at `whom`, of at most `patience`; false when there is nobody to look at, or the last look is too young.
  bool begin(std::vector<server_id> whom, duration patience, time_point now);
  /// A probe of that server came back. When the last one has failed there is nothing left to wait for; who lives is
  /// given as long again to be found well.
  void heard(server_id server, bool alive, time_point now);
  /// True while it is worth to wait.
  bool under_way(time_point now) const noexcept { return now < until_; }
  time_point until() const noexcept { return until_; }

 private:
  std::vector<server_id> awaited_;
  duration patience_{};
  std::optional<time_point> began_;
  time_point until_{};
};

}  // namespace understudy::internal
