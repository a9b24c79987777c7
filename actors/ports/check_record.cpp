// The latest checks of a server, as snapshots show them.
#include "understudy/actors/ports/check_record.hpp"

#include <algorithm>

namespace understudy::internal {

void check_record::note(const probe_report& found, wall_time at) {
  check_snapshot check{at, found.ok, found.took, found.steps, found.error ? found.error->message : std::string{}};
  // On a connection that stands there is nothing but the question.
  const bool connected = std::any_of(found.steps.begin(), found.steps.end(),
                                     [](const probe_step& step) { return step.what != stage::operation; });
  const std::lock_guard lock{guard_};
  if (connected) latest_connect_ = check;
  latest_ = std::move(check);
}

check_snapshot check_record::latest() const {
  const std::lock_guard lock{guard_};
  return latest_;
}

check_snapshot check_record::latest_connect() const {
  const std::lock_guard lock{guard_};
  return latest_connect_;
}

}  // namespace understudy::internal
