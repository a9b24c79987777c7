// Which of the usable servers takes a request.
#include "understudy/actors/circuit_breaker/server_selection.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

bool eligible(const candidate& c, const selection_query& query) {
  return c.usable && !(query.write && c.read_only) && (query.global_catalog || !c.global_catalog);
}

/// Another server is preferred to it.
bool is_elsewhere(const candidate& c, const selection_query& query) {
  const bool well = !c.trial && !c.suspected;
  if (query.preferred) return c.id != *query.preferred || !well;
  return query.global_catalog && !(c.global_catalog && well);
}

/// Expected time to an answer; comparable only when both latencies are known. Of servers with different weights the
/// draw has settled who is due; only what is under way, by weight, speaks against one.
bool less_loaded(const candidate& a, const candidate& b) {
  if (a.weight != b.weight) {
    const bool timed = a.latency > 0 && b.latency > 0;
    const auto load = [&](const candidate& c) { return c.in_flight / c.weight * (timed ? c.latency : 1); };
    return load(a) < load(b);
  }
  if (a.latency <= 0 || b.latency <= 0) return a.in_flight < b.in_flight;
  return a.latency * (a.in_flight + 1) < b.latency * (b.in_flight + 1);
}

}  // namespace

void server_selection::configure(bool automatic_failback, bool spill) noexcept {
  automatic_ = automatic_failback;
  spill_ = spill;
}

std::optional<std::size_t> server_selection::choose(const std::vector<candidate>& all, const selection_query& query) {
  const bool kept = keeps_level(all);
  rank smallest{};
  equals_.clear();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!eligible(all[i], query)) continue;
    const double share = all[i].share;
    const bool held = share <= 0 || (share < 1 && random_() >= share);
    const auto r = rank_of(all[i], query, held && !all[i].trial_due, kept, true);
    if (!equals_.empty() && smallest < r) continue;
    if (equals_.empty() || r < smallest) {
      smallest = r;
      equals_.clear();
    }
    equals_.push_back(i);
  }
  if (equals_.empty()) return std::nullopt;
  const auto chosen = better_of_two(all);
  if (!automatic_ && !kept && !query.write && query.tried.empty() && !query.preferred && !query.global_catalog)
    level_ = all[chosen].priority;
  return chosen;
}

std::optional<int> server_selection::serving_level(const std::vector<candidate>& all) const {
  const bool kept = keeps_level(all);
  const selection_query read;
  std::optional<rank> smallest;
  for (const auto& c : all) {
    if (eligible(c, read)) {
      const auto r = rank_of(c, read, c.share <= 0, kept, false);
      smallest = smallest ? std::min(*smallest, r) : r;
    }
  }
  return smallest ? std::optional<int>{smallest->priority} : std::nullopt;
}

server_selection::rank server_selection::rank_of(const candidate& c, const selection_query& query, bool held,
                                                 bool level_kept, bool tries) const {
  unsigned reluctance = 0;
  if (c.trial && !(c.trial_due && tries))
    reluctance = 2;
  else if (level_kept)
    reluctance = c.priority == *level_ ? 0 : 1;
  else if (held || (spill_ && c.full))
    reluctance = 1;
  if (is_elsewhere(c, query)) reluctance |= 4U;
  if (query.tried.contains(c.id)) reluctance |= 8U;
  if (c.silent) reluctance |= 16U;
  return {reluctance, c.priority, (c.suspected ? 2 : 0) + (query.prefer_writable && c.read_only ? 1 : 0)};
}

bool server_selection::keeps_level(const std::vector<candidate>& all) const {
  return !automatic_ && level_ && std::any_of(all.begin(), all.end(), [&](const candidate& c) {
    return c.usable && !c.trial && !c.silent && c.priority == *level_;
  });
}

std::size_t server_selection::better_of_two(const std::vector<candidate>& all) {
  const auto count = equals_.size();
  if (count == 1) return equals_.front();
  const auto first = draw(all, count);
  const auto a = equals_[first];
  const auto b = equals_[draw(all, first)];
  return less_loaded(all[b], all[a]) ? b : a;
}

/// One of the equals (its place there), by weight; never `except`.
std::size_t server_selection::draw(const std::vector<candidate>& all, std::size_t except) {
  double total = 0;
  for (std::size_t i = 0; i < equals_.size(); ++i) total += i == except ? 0 : all[equals_[i]].weight;
  double left = random_() * total;
  std::size_t last = 0;
  for (std::size_t i = 0; i < equals_.size(); ++i) {
    if (i == except) continue;
    last = i;
    left -= all[equals_[i]].weight;
    if (left < 0) break;
  }
  return last;
}

}  // namespace understudy::internal
