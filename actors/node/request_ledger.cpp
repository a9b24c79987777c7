// Credit, order, fates.
#include "understudy/actors/node/request_ledger.hpp"

namespace understudy::internal {

request_ledger::number request_ledger::add(const request& asked) {
  const auto which = ++last_;
  all_[which] = {asked};
  waiting_.insert(which);
  due_.emplace(asked.deadline, which);
  return which;
}

void request_ledger::linked(session_id session, std::uint32_t most_requests, std::uint64_t most_bytes) {
  session_ = session;
  leaving_ = false;
  most_requests_ = most_requests;
  most_bytes_ = most_bytes;
}

std::vector<request_ledger::number> request_ledger::take_sendable() {
  std::vector<number> now;
  if (session_ == 0) return now;
  for (auto at = waiting_.begin(); at != waiting_.end() && requests_under_way_ < most_requests_;) {
    auto& one = all_.at(*at);
    const bool elsewhere = one.what.session == 0 ? leaving_ : one.what.session != session_;
    if (elsewhere) {
      ++at;
      continue;
    }
    // Alone, what is larger than all that may be under way is for the node to refuse.
    if (requests_under_way_ > 0 && bytes_under_way_ + one.what.bytes > most_bytes_) break;
    one.sent = true;
    ++one.sends;
    ++requests_under_way_;
    bytes_under_way_ += one.what.bytes;
    now.push_back(*at);
    at = waiting_.erase(at);
  }
  return now;
}

void request_ledger::unsend(entry& sent) {
  if (!sent.sent) return;
  sent.sent = false;
  --requests_under_way_;
  bytes_under_way_ -= sent.what.bytes;
}

bool request_ledger::remove(number which) {
  const auto found = all_.find(which);
  if (found == all_.end()) return false;
  unsend(found->second);
  waiting_.erase(which);
  due_.erase({found->second.what.deadline, which});
  all_.erase(found);
  return true;
}

bool request_ledger::under_way(number which) const {
  const auto found = all_.find(which);
  return found != all_.end() && found->second.sent;
}

request_ledger::verdict request_ledger::failed(number which, bool sent) {
  auto& one = all_.at(which);
  const auto what = one.what;
  unsend(one);
  if (what.session == 0 && (what.repeatable || !sent) && one.sends < most_sends) {
    waiting_.insert(which);
    return verdict::again;
  }
  remove(which);
  return sent && !what.repeatable ? verdict::unknown : verdict::broken;
}

std::vector<request_ledger::fate> request_ledger::lost() {
  std::vector<number> touched;
  for (const auto& [which, one] : all_)
    if (one.sent || (one.what.session != 0 && one.what.session == session_)) touched.push_back(which);
  session_ = 0;
  leaving_ = false;
  std::vector<fate> all;
  all.reserve(touched.size());
  for (const auto which : touched) all.push_back({which, failed(which, under_way(which))});
  return all;
}

std::vector<request_ledger::number> request_ledger::give_up_waiting() {
  std::vector<number> all;
  for (const auto which : waiting_)
    if (all_.at(which).what.session == 0) all.push_back(which);
  for (const auto which : all) remove(which);
  return all;
}

std::vector<std::pair<request_ledger::number, bool>> request_ledger::expire(time_point now) {
  std::vector<std::pair<number, bool>> over;
  while (!due_.empty() && due_.begin()->first <= now) {
    const auto which = due_.begin()->second;
    over.emplace_back(which, under_way(which));
    remove(which);
  }
  return over;
}

}  // namespace understudy::internal
