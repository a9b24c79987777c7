// Which timers are due: see timer_queue.hpp.
#include "understudy/runtime/platform/timer_queue.hpp"

namespace understudy::internal {

void timer_queue::move(timer_id id, timer& t, time_point to) {
  places::node_type node;
  if (t.place != never) node = places_.extract({t.place, id});
  t.place = to;
  if (to == never) return;
  if (node.empty()) {
    places_.emplace(to, id);
    return;
  }
  node.value() = {to, id};
  places_.insert(std::move(node));
}

void timer_queue::set(timer_id id, time_point when) {
  auto it = timers_.find(id);
  if (it == timers_.end()) return;
  auto& t = it->second;
  t.due = when;
  // A timer that stands earlier than needed is moved when it comes up: deadlines are mostly postponed, rarely reached.
  if (when < t.place) move(id, t, when);
}

void timer_queue::clear(timer_id id) {
  if (auto it = timers_.find(id); it != timers_.end()) it->second.due = never;
}

void timer_queue::remove(timer_id id) {
  auto it = timers_.find(id);
  if (it == timers_.end()) return;
  move(id, it->second, never);
  timers_.erase(it);
}

std::vector<timer_queue::timer_id> timer_queue::take_due(time_point now) {
  std::vector<std::pair<time_point, timer_id>> due;
  while (!places_.empty() && places_.begin()->first <= now) {
    auto id = places_.begin()->second;
    auto& t = timers_.at(id);
    if (t.due > now) {
      move(id, t, t.due);
      continue;
    }
    due.emplace_back(t.due, id);
    move(id, t, never);
    t.due = never;
  }
  std::vector<timer_id> result;
  result.reserve(due.size());
  for (auto& [when, id] : due) result.push_back(id);
  return result;
}

time_point timer_queue::next() const { return places_.empty() ? never : places_.begin()->first; }

}  // namespace understudy::internal
