// The name of an enumerator, by its place in the list of all names.
#pragma once
#include <array>
#include <cstddef>
#include <string_view>

namespace understudy::internal {

/// `names` is in the order of the enumerators, which count from zero. "unknown" for what is none of them: a number may
/// have come from a peer.
template <class Enum, std::size_t Count>
constexpr std::string_view enum_name(Enum value, const std::array<std::string_view, Count>& names) noexcept {
  const auto i = static_cast<std::size_t>(value);
  return i < Count ? names[i] : "unknown";
}

}  // namespace understudy::internal
