// When several losses count as one.
#pragma once
#include "understudy/messages/time.hpp"

namespace understudy::internal {

/// Connections of one server that were open together and end within this time have one cause, a firewall's or the
/// server's restart: they count once, in the pool that reports them as in the router that hears of it.
inline constexpr duration same_moment = seconds{1};

}  // namespace understudy::internal
