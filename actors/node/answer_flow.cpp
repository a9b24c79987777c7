// What is on its way to each client, and what waits: see answer_flow.hpp.
#include "understudy/actors/node/answer_flow.hpp"

#include <algorithm>
#include <utility>

namespace understudy::internal {

/// Answers of one link reach the kernel in the order in which they were given to CAF.
void answer_flow::take(link_record& link, answer_count answered) {
  // More than were noted: CAF makes one of its own when a handler throws.
  link.sent = std::max(link.sent, answered.value_or(link.sent));
  const auto left = link.sent - answered.value_or(link.sent);
  while (link.untaken.size() > left) {
    link.untaken_bytes -= link.untaken.front();
    link.untaken.pop_front();
  }
}

/// One alone always has, whatever its size.
bool answer_flow::has_room(const link_record& link, std::size_t bytes) const {
  return link.untaken_bytes == 0 || link.untaken_bytes + bytes <= most_untaken_;
}

bool answer_flow::has_to_wait(link_id link, std::size_t bytes, answer_count answered) {
  auto& to = links_[link];
  take(to, answered);
  return !to.waiting.empty() || !has_room(to, bytes);
}

void answer_flow::keep(const request_key& key, std::string bytes) {
  auto& to = links_[key.link];
  to.waiting_bytes += bytes.size();
  to.waiting.push_back({key, std::move(bytes)});
}

void answer_flow::sent(link_id link, std::size_t bytes) {
  auto& to = links_[link];
  ++to.sent;
  to.untaken.push_back(bytes);
  to.untaken_bytes += bytes;
}

std::optional<answer_flow::ready_answer> answer_flow::next(link_id link, answer_count answered) {
  const auto found = links_.find(link);
  if (found == links_.end() || found->second.waiting.empty()) return std::nullopt;
  auto& to = found->second;
  take(to, answered);
  if (!has_room(to, to.waiting.front().bytes.size())) return std::nullopt;
  auto first = std::move(to.waiting.front());
  to.waiting.pop_front();
  to.waiting_bytes -= first.bytes.size();
  return first;
}

bool answer_flow::forget(const request_key& key) {
  const auto found = links_.find(key.link);
  if (found == links_.end()) return false;
  auto& to = found->second;
  return std::erase_if(to.waiting, [&](const ready_answer& each) {
           if (each.key != key) return false;
           to.waiting_bytes -= each.bytes.size();
           return true;
         }) != 0;
}

std::size_t answer_flow::waiting_bytes(link_id link) const {
  const auto found = links_.find(link);
  return found == links_.end() ? 0 : found->second.waiting_bytes;
}

}  // namespace understudy::internal
