// How often and when a request is tried again: see recovery_plan.hpp.
#include "understudy/runtime/recovery_plan.hpp"

#include <algorithm>

namespace understudy {
namespace {

constexpr int growth = 5;
// Beyond this many steps down from the longest pause, they are too short to wait for.
constexpr int most_steps = 3;

bool may_pass(const failure& why) {
  return why.code == errc::connection_failed || why.code == errc::connection_timeout;
}

}  // namespace

recovery_plan::recovery_plan(const recovery_settings& how)
    : left_(how.auto_recovery ? how.recovery_attempts : 0), longest_(how.recovery_delay) {}

std::optional<duration> recovery_plan::next(const failure& why, duration time_left) {
  if (left_ <= 0 || !may_pass(why)) return std::nullopt;
  auto pause = longest_;
  for (int step = std::min(--left_, most_steps); step > 0; --step) pause /= growth;
  if (pause >= time_left) return std::nullopt;
  return pause;
}

}  // namespace understudy
