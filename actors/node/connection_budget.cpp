// The connection budget: shares, loans, and what is certain of them.
#include "understudy/actors/node/connection_budget.hpp"

#include <algorithm>
#include <utility>

namespace understudy::internal {
namespace {

// Of the term of a loan: after so much of it it is renewed, and who refused is asked for more.
constexpr int renewals = 3;
// … and after so much who did not answer is asked again.
constexpr int retries = 6;

std::uint32_t share_of(const budget_options& all, const std::string& node) {
  auto names = all.nodes;
  std::sort(names.begin(), names.end());
  const auto count = static_cast<std::uint32_t>(names.size());
  const auto place = static_cast<std::uint32_t>(std::find(names.begin(), names.end(), node) - names.begin());
  if (place == count) return 0;
  return all.total / count + (place < all.total % count ? 1 : 0);
}

std::uint32_t less(std::uint32_t a, std::uint32_t b) noexcept { return a > b ? a - b : 0; }

}  // namespace

connection_budget::connection_budget(budget_options options, time_point now)
    : options_(std::move(options)), share_(share_of(options_, options_.self)) {
  for (const auto& name : options_.nodes) {
    if (name == options_.self) continue;
    borrowers_.emplace(name, borrower{});
    owners_[name].again = owners_[name].more_at = now;
    owners_[name].share = share_of(options_, name);
  }
  if (!borrowers_.empty()) withheld_ = may_lend();
  permits_ = std::make_shared<socket_permits>(share_ - withheld_);
}

void connection_budget::want(std::uint32_t sockets, time_point now) {
  wanted_ = sockets;
  settle(now);
}

std::uint32_t connection_budget::lent() const noexcept {
  auto all = withheld_;
  for (const auto& [name, b] : borrowers_) all += b.lent;
  return all;
}

std::uint32_t connection_budget::borrowed() const noexcept {
  std::uint32_t all = 0;
  for (const auto& [name, o] : owners_) all += o.usable;
  return all;
}

std::uint32_t connection_budget::missing() const noexcept {
  auto have = permits_->allowed();
  for (const auto& [name, o] : owners_) have += o.asked;
  return less(wanted_, have);
}

std::uint32_t connection_budget::lend(const std::string& name, const loan_request& request) {
  const auto found = borrowers_.find(name);
  if (found == borrowers_.end()) return 0;
  auto& b = found->second;
  const bool newer =
      request.incarnation > b.incarnation || (request.incarnation == b.incarnation && request.number > b.number);
  if (b.known && !newer) return b.lent;
  b.incarnation = request.incarnation;
  b.number = request.number;
  // Who holds more than there is does not tell the truth, or was lent it of a larger budget.
  const auto held = std::min(request.held, b.known ? b.lent + permits_->allowed() : withheld_ + permits_->allowed());
  if (!b.known) {
    // What it holds was lent by an earlier process of ours, and is a part of what was withheld for that.
    b.known = true;
    b.lent = held;
    const auto expected = std::min(withheld_, b.lent);
    withheld_ -= expected;
    permits_->lower(b.lent - expected);
    const bool all =
        std::all_of(borrowers_.begin(), borrowers_.end(), [](const auto& entry) { return entry.second.known; });
    if (all) permits_->raise(std::exchange(withheld_, 0));
  } else {
    permits_->raise(less(b.lent, held));
    permits_->lower(less(held, b.lent));
    b.lent = held;
  }
  const auto ours = permits_->allowed();
  if (wanted_ > ours) return less(b.lent, wanted_ - ours);  // counted as lent until it says that it has closed them
  const auto spare = std::min(less(may_lend(), lent()), ours - wanted_);
  b.lent += permits_->lower_unused(std::min(spare, less(request.wanted, b.lent)));
  return b.lent;
}

void connection_budget::use(owner& o, std::uint32_t sockets) {
  if (sockets > o.usable)
    permits_->raise(sockets - o.usable);
  else
    permits_->lower(o.usable - sockets);
  o.usable = sockets;
}

void connection_budget::settle(time_point now) {
  auto still_open = less(permits_->opened(), permits_->allowed());
  for (auto& [name, o] : owners_) {
    const auto unused = o.held - o.usable;
    const auto kept = std::min(unused, still_open);
    still_open -= kept;
    if (kept == unused) continue;
    o.held = o.usable + kept;
    o.again = std::min(o.again, now);
  }
}

void connection_budget::give_back_spare() {
  auto spare = less(permits_->allowed(), std::max(wanted_, permits_->opened()));
  for (auto& [name, o] : owners_) {
    const auto returned = permits_->lower_unused(std::min(spare, o.usable));
    o.usable -= returned;
    spare -= returned;
  }
}

std::vector<outgoing_loan_request> connection_budget::take_requests(
    time_point now, const std::function<bool(const std::string& owner)>& to) {
  bool renews = false;
  for (auto& [name, o] : owners_) {
    if (o.usable > 0 && o.valid_until <= now) use(o, 0);
    renews = renews || (!o.waiting && o.usable > 0 && o.again <= now);
  }
  if (renews) give_back_spare();
  settle(now);
  std::vector<outgoing_loan_request> out;
  for (auto& [name, o] : owners_) {
    if (o.waiting || (to && !to(name))) continue;
    const auto more = o.more_at <= now ? missing() : 0;
    const bool due = (o.held > 0 || o.counted > 0 || !o.introduced) && o.again <= now;
    if (!due && more == 0) continue;
    o.waiting = true;
    o.sent = now;
    o.told = o.held;
    o.asked = more;
    out.push_back({name, {options_.incarnation, ++o.number, o.held, o.usable + more}});
  }
  return out;
}

void connection_budget::granted(const std::string& name, std::uint64_t number, std::uint32_t may_use, time_point now) {
  const auto found = owners_.find(name);
  if (found == owners_.end() || !found->second.waiting || found->second.number != number) return;
  auto& o = found->second;
  may_use = std::min(may_use, std::max(o.share, o.told));
  const auto asked = std::exchange(o.asked, 0);
  o.waiting = false;
  o.introduced = true;
  o.valid_until = o.sent + options_.term;
  const auto later = now + options_.term / renewals;
  // What was closed since the request has to be told: its owner waits for it.
  o.again = o.held < o.told ? now : later;
  const auto more = less(may_use, o.told);
  o.more_at = more < asked ? later : now;
  o.counted = o.told + more;
  o.held += more;  // which may have fallen since the request
  if (more > 0) use(o, o.usable + more);
  if (may_use < o.usable) use(o, may_use);
  settle(now);
}

void connection_budget::lost(const std::string& name, std::uint64_t number, time_point now) {
  const auto found = owners_.find(name);
  if (found == owners_.end() || !found->second.waiting || found->second.number != number) return;
  auto& o = found->second;
  o.waiting = false;
  o.counted += std::exchange(o.asked, 0);  // the owner may have lent it
  o.again = o.more_at = now + options_.term / retries;
}

void connection_budget::lost_all(time_point now) {
  for (const auto& [name, o] : owners_) lost(name, o.number, now);
}

void connection_budget::met(const std::string& name, time_point now) {
  const auto found = owners_.find(name);
  if (found == owners_.end()) return;
  auto& o = found->second;
  o.introduced = false;
  o.again = o.more_at = now;
}

void connection_budget::recalled(const std::string& name, time_point now) {
  const auto found = owners_.find(name);
  if (found != owners_.end() && found->second.held > 0) found->second.again = std::min(found->second.again, now);
}

bool connection_budget::asks(const std::string& name, time_point now) const {
  const auto found = owners_.find(name);
  return found != owners_.end() && !found->second.waiting && found->second.more_at <= now && missing() > 0;
}

bool connection_budget::recalls(const std::string& name) const {
  const auto found = borrowers_.find(name);
  return found != borrowers_.end() && found->second.lent > 0 && wanted_ > permits_->allowed();
}

time_point connection_budget::next() const noexcept {
  auto at = time_point::max();
  const bool wants = missing() > 0;
  for (const auto& [name, o] : owners_) {
    if (o.usable > 0) at = std::min(at, o.valid_until);
    if (o.waiting) continue;
    if (o.held > 0 || o.counted > 0 || !o.introduced) at = std::min(at, o.again);
    if (wants) at = std::min(at, o.more_at);
  }
  return at;
}

}  // namespace understudy::internal
