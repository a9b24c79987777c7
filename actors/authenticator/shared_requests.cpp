// Keeps requests that are under way: see shared_requests.hpp.
#include "understudy/actors/authenticator/shared_requests.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

/// Parts of a key, which may have any bytes: each with its length.
void append(std::string& key, std::string_view part) {
  key += std::to_string(part.size());
  key += ':';
  key += part;
}

/// Equal for requests that have the same answer, the password apart; empty: never shared.
std::string key_of(const request& order) {
  std::string key;
  if (const auto* search = std::get_if<search_request>(&order.op)) {
    key = "search ";
    append(key, search->base);
    append(key, search->filter);
    append(key, order.wish.server);
    key += std::to_string(static_cast<int>(search->scope)) + ' ' + std::to_string(search->size_limit);
    for (const auto& name : search->attributes) append(key, name);
  } else if (const auto* bind = std::get_if<bind_request>(&order.op)) {
    key = "bind ";
    append(key, bind->dn);
  }
  return key;
}

secret password_of(const request& order) {
  const auto* bind = std::get_if<bind_request>(&order.op);
  return bind != nullptr ? bind->password : secret{};
}

}  // namespace

std::uint64_t shared_requests::join(const request& order, time_point deadline, told tell) {
  auto key = key_of(order);
  auto password = password_of(order);
  std::lock_guard guard{mutex_};
  const auto [begin, end] = by_key_.equal_range(key);
  for (auto at = begin; !key.empty() && at != end; ++at) {
    auto& there = flights_.at(at->second);
    // One that may end later would be no answer in time.
    if (!(there.password == password) || there.deadline > deadline || waiting_ >= most_waiting) continue;
    there.waiting.push_back(std::move(tell));
    ++waiting_;
    return 0;
  }
  const auto number = ++last_;
  const auto flying = flights_.emplace(number, flight{key, std::move(password), deadline, {}}).first;
  try {
    by_key_.emplace(std::move(key), number);
  } catch (...) {
    flights_.erase(flying);
    throw;
  }
  return number;
}

void shared_requests::land(std::uint64_t number, const reply_to_request& reply) {
  std::vector<told> waiting;
  {
    std::lock_guard guard{mutex_};
    const auto landed = flights_.find(number);
    if (landed == flights_.end()) return;
    waiting = std::move(landed->second.waiting);
    waiting_ -= waiting.size();
    const auto [begin, end] = by_key_.equal_range(landed->second.key);
    const auto there = std::find_if(begin, end, [&](const auto& each) { return each.second == number; });
    if (there != end) by_key_.erase(there);  // else it was forgotten meanwhile
    flights_.erase(landed);
  }
  for (auto& tell : waiting) {
    try {
      tell(reply);
    } catch (...) {
      // Memory ran out there: whose it is tells that when this is let go of. The others have their answer.
      tell = nullptr;
    }
  }
}

void shared_requests::forget() {
  std::lock_guard guard{mutex_};
  by_key_.clear();
}

bool shared_requests::is_the_askers_own(const reply_to_request& reply) noexcept {
  if (!reply.failed) return false;
  switch (reply.failed->code) {
    case errc::cancelled:
    case errc::operation_timeout:
    case errc::pool_timeout:     // no connection was free before the asker's deadline
    case errc::outcome_unknown:  // the asker's bind was not answered before it
      return true;
    default:
      return false;
  }
}

std::size_t shared_requests::waiting() const {
  std::lock_guard guard{mutex_};
  return waiting_;
}

}  // namespace understudy::internal
