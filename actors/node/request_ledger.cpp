// Credit, order, fates.
#include "understudy/actors/node/request_ledger.hpp"

namespace understudy::internal {

request_ledger::number request_ledger::add(const request& asked) {
  const auto which = ++last_;
  all_[which] = {asked};
  wait(which, asked.session);
  due_.emplace(asked.deadline, which);
  return which;
}

void request_ledger::linked(session_id session, std::uint32_t most_requests, std::uint64_t most_bytes) {
  current_ = session;
  links_[session] = {most_requests, most_bytes, {}, {}};
}

void request_ledger::leave(session_id session) noexcept {
  if (current_ == session) current_ = 0;
}

/// Alone, what is larger than all that may be under way is for the node to refuse.
bool request_ledger::load::takes(std::size_t more, std::uint32_t most_requests,
                                 std::uint64_t most_bytes) const noexcept {
  return requests < most_requests && (requests == 0 || bytes + more <= most_bytes);
}

std::vector<request_ledger::number> request_ledger::take_sendable() {
  std::vector<number> now;
  for (const auto& [session, ignored] : links_)
    while (send_next(session, session, now)) {
    }
  // Whoever waits for a lease's part of the credit comes first.
  if (current_ == 0 || waiting_.contains(current_)) return now;
  while (send_next(current_, 0, now)) {
  }
  return now;
}

bool request_ledger::send_next(session_id over, session_id bound_to, std::vector<number>& sent) {
  const auto waiting = waiting_.find(bound_to);
  if (waiting == waiting_.end()) return false;
  const auto which = *waiting->second.begin();
  auto& next = all_.at(which);
  auto& carrier = links_.at(over);
  const auto bytes = next.what.bytes;
  if (!carrier.all.takes(bytes, carrier.most_requests, carrier.most_bytes)) return false;
  if (bound_to == 0) {
    if (!carrier.unbound.takes(bytes, carrier.most_requests - carrier.most_requests / 4,
                               carrier.most_bytes - carrier.most_bytes / 4))
      return false;
    ++carrier.unbound.requests;
    carrier.unbound.bytes += bytes;
  }
  ++carrier.all.requests;
  carrier.all.bytes += bytes;
  next.carried_by = over;
  ++next.sends;
  stop_waiting(which, bound_to);
  sent.push_back(which);
  return true;
}

void request_ledger::stop_waiting(number which, session_id bound_to) {
  const auto found = waiting_.find(bound_to);
  if (found == waiting_.end()) return;
  found->second.erase(which);
  if (found->second.empty()) waiting_.erase(found);
}

void request_ledger::unsend(entry& sent) {
  const auto carrier = links_.find(std::exchange(sent.carried_by, 0));
  if (carrier == links_.end()) return;
  const auto give_back = [&](load& of) {
    --of.requests;
    of.bytes -= sent.what.bytes;
  };
  give_back(carrier->second.all);
  if (sent.what.session == 0) give_back(carrier->second.unbound);
}

bool request_ledger::remove(number which) {
  const auto found = all_.find(which);
  if (found == all_.end()) return false;
  unsend(found->second);
  stop_waiting(which, found->second.what.session);
  due_.erase({found->second.what.deadline, which});
  all_.erase(found);
  return true;
}

request_ledger::session_id request_ledger::carried_by(number which) const {
  const auto found = all_.find(which);
  return found == all_.end() ? 0 : found->second.carried_by;
}

bool request_ledger::is_idle(session_id session) const {
  const auto found = links_.find(session);
  return !waiting_.contains(session) && (found == links_.end() || found->second.all.requests == 0);
}

request_ledger::verdict request_ledger::failed(number which, bool sent) {
  auto& one = all_.at(which);
  const auto what = one.what;
  unsend(one);
  if (what.session == 0 && (what.repeatable || !sent) && one.sends < most_sends) {
    wait(which, 0);
    return verdict::again;
  }
  remove(which);
  return sent && !what.repeatable ? verdict::unknown : verdict::broken;
}

std::vector<request_ledger::fate> request_ledger::lost(session_id session) {
  std::vector<number> touched;
  for (const auto& [which, one] : all_)
    if (one.carried_by == session || one.what.session == session) touched.push_back(which);
  leave(session);
  std::vector<fate> all;
  all.reserve(touched.size());
  for (const auto which : touched) all.push_back({which, failed(which, carried_by(which) != 0)});
  links_.erase(session);
  return all;
}

std::vector<request_ledger::number> request_ledger::give_up_waiting() {
  const auto found = waiting_.find(0);
  if (found == waiting_.end()) return {};
  std::vector<number> all{found->second.begin(), found->second.end()};
  for (const auto which : all) remove(which);
  return all;
}

std::vector<request_ledger::ending> request_ledger::expire(time_point now) {
  std::vector<ending> over;
  while (!due_.empty() && due_.begin()->first <= now) {
    const auto which = due_.begin()->second;
    over.push_back({which, carried_by(which)});
    remove(which);
  }
  return over;
}

}  // namespace understudy::internal
