// Counting bytes of messages that are not complete: see partial_messages.hpp.
#include "understudy/actors/front_door/partial_messages.hpp"

namespace understudy::internal {

bool partial_messages::change(const std::string& address, std::size_t before, std::size_t now,
                              const partial_limits& most) {
  if (now == before) return true;
  const std::lock_guard lock{mutex_};
  const auto found = of_address_.find(address);
  if (now < before) {
    all_ -= before - now;
    found->second -= before - now;
    if (found->second == 0) of_address_.erase(found);
    return true;
  }
  const auto more = now - before;
  const auto of_this = found == of_address_.end() ? 0 : found->second;
  if (all_ + more > most.all || of_this + more > most.of_address) return false;
  of_address_[address] += more;
  all_ += more;
  return true;
}

std::size_t partial_messages::bytes() const {
  const std::lock_guard lock{mutex_};
  return all_;
}

std::size_t partial_messages::bytes_of(const std::string& address) const {
  const std::lock_guard lock{mutex_};
  const auto found = of_address_.find(address);
  return found == of_address_.end() ? 0 : found->second;
}

}  // namespace understudy::internal
