// The one deadline of a command.
#include "understudy/tools/command_time.hpp"

#include <algorithm>

namespace understudy::cli {

command_time::command_time(duration timeout, time_point now) {
  if (timeout > duration::zero()) deadline_ = now + std::min<duration>(timeout, time_point::max() - now);
}

void command_time::give_back(duration span) noexcept {
  if (deadline_) *deadline_ += std::min<duration>(span, time_point::max() - *deadline_);
}

}  // namespace understudy::cli
