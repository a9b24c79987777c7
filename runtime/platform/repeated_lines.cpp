// Limiters by reason: see repeated_lines.hpp.
#include "understudy/runtime/platform/repeated_lines.hpp"

namespace understudy::internal {
namespace {

constexpr seconds told_every{60};

}  // namespace

std::optional<std::uint64_t> repeated_lines::pass(const std::string& reason, time_point now) {
  const bool is_shared = !reasons_.contains(reason) && reasons_.size() + 1 >= most_reasons;
  return reasons_.try_emplace(is_shared ? std::string{} : reason, told_every).first->second.pass(now);
}

}  // namespace understudy::internal
