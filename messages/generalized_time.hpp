// Times as directories write them: GeneralizedTime (RFC 4517, 3.3.13).
#pragma once
#include "understudy/messages/time.hpp"

#include <optional>
#include <string_view>

namespace understudy::internal {

/// "20260517093000Z", "202605170930+0200", "20260517093000.5Z": minutes, seconds and a fraction of the last of these
/// may be missing. Nothing when `text` is none.
std::optional<wall_time> generalized_time(std::string_view text) noexcept;

}  // namespace understudy::internal
