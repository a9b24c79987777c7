// Counting: see repeated_lines.hpp.
#include "understudy/runtime/platform/repeated_lines.hpp"

#include <utility>

namespace understudy::internal {
namespace {

constexpr seconds told_every{60};

}  // namespace

std::optional<std::uint64_t> repeated_lines::happened(const std::string& reason, time_point now) {
  const bool is_shared = !reasons_.contains(reason) && reasons_.size() + 1 >= most_reasons;
  const auto [found, is_new] = reasons_.try_emplace(is_shared ? std::string{} : reason);
  auto& known = found->second;
  ++known.untold;
  if (!is_new && now - known.told_at < told_every) return std::nullopt;
  known.told_at = now;
  return std::exchange(known.untold, 0);
}

}  // namespace understudy::internal
