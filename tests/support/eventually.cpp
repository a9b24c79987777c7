// Polling with a deadline.
#include "support/eventually.hpp"

#include <poll.h>

namespace understudy::test {
namespace {

constexpr int pause_ms = 1;

bool becomes(bool wanted, const std::function<bool()>& condition, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (condition() != wanted) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    ::poll(nullptr, 0, pause_ms);
  }
  return true;
}

}  // namespace

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds timeout) {
  return becomes(true, condition, timeout);
}

bool holds_for(const std::function<bool()>& condition, std::chrono::milliseconds span) {
  return !becomes(false, condition, span);
}

}  // namespace understudy::test
