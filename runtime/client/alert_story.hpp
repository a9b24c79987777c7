// Which limits have ceased to be kept since the last look, and which are kept again.
#pragma once
#include "understudy/runtime/client/thresholds.hpp"

#include <map>

namespace understudy::internal {

/// An alert is told when it begins and when it ends. Repeated while it lasts, it would push what happened meanwhile out
/// of the events that are kept. On injected time; calls must not overlap.
class alert_story {
 public:
  /// What is to be told.
  struct turn {
    bool begins = true;                       ///< else it ends
    std::string text;                         ///< for people
    double current_value = 0, threshold = 0;  ///< of the alert, when it was last looked at
  };
  /// After a look that found these limits not kept.
  std::vector<turn> look(std::vector<missed_limit> found, time_point now);

 private:
  struct lasting {
    missed_limit seen;
    time_point since;
  };
  std::map<std::string, lasting> lasting_;  ///< by limit
};

}  // namespace understudy::internal
