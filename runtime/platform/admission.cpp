// Counting who is in: see admission.hpp.
#include "understudy/runtime/platform/admission.hpp"

#include "understudy/runtime/platform/addresses.hpp"

#include <algorithm>
#include <utility>

namespace understudy::internal {

admission_limits shared_places(std::size_t connections, std::size_t handshakes) {
  constexpr std::size_t least_by_address = 100;
  return {connections, std::min(connections, std::max(least_by_address, connections / 10)), handshakes, false};
}

admission::place& admission::place::operator=(place&& other) noexcept {
  std::swap(of_, other.of_);
  std::swap(address_, other.address_);
  return *this;
}

admission::place::~place() {
  if (of_) of_->leave(address_);
}

admission::answer admission::enter(const std::string& address) {
  std::lock_guard guard{mutex_};
  if (all_ >= limits_.connections) return {admission_verdict::too_many, {}};
  auto& of_this = of_address_[address];
  const bool is_bounded = limits_.counts_local || !(address.starts_with("local") || is_loopback(address));
  if (is_bounded && of_this >= limits_.by_address) return {admission_verdict::too_many_of_address, {}};
  ++of_this;
  ++all_;
  return {admission_verdict::welcome, place{shared_from_this(), address}};
}

std::size_t admission::connections() const {
  std::lock_guard guard{mutex_};
  return all_;
}

admission_limits admission::limits() const {
  std::lock_guard guard{mutex_};
  return limits_;
}

void admission::set_limits(admission_limits limits) {
  std::lock_guard guard{mutex_};
  limits_ = limits;
}

void admission::leave(const std::string& address) noexcept {
  std::lock_guard guard{mutex_};
  --all_;
  const auto at = of_address_.find(address);
  if (at != of_address_.end() && --at->second == 0) of_address_.erase(at);
}

}  // namespace understudy::internal
