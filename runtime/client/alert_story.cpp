// Beginnings and ends of alerts: see alert_story.hpp.
#include "understudy/runtime/client/alert_story.hpp"

#include <utility>

namespace understudy::internal {

std::vector<alert_story::turn> alert_story::look(std::vector<missed_limit> found, time_point now) {
  std::vector<turn> turns;
  std::map<std::string, lasting> still;
  for (auto& each : found) {
    const auto before = lasting_.find(each.limit);
    if (before == lasting_.end()) turns.push_back({true, each.message, each.current_value, each.threshold});
    const auto since = before == lasting_.end() ? now : before->second.since;
    auto limit = each.limit;
    still.insert_or_assign(std::move(limit), lasting{std::move(each), since});
  }
  for (const auto& [limit, was] : lasting_) {
    if (still.count(limit) > 0) continue;
    const auto span = std::chrono::duration_cast<seconds>(now - was.since).count();
    turns.push_back({false, "The limit of " + limit + " is kept again, after " + std::to_string(span) + " s.",
                     was.seen.current_value, was.seen.threshold});
  }
  lasting_ = std::move(still);
  return turns;
}

}  // namespace understudy::internal
