// How long a link between nodes may be silent: one span for both of its ends, and for what is held over it.
#pragma once
#include "understudy/messages/time.hpp"

namespace understudy {

/// A link on which nothing came for so long is ended, and a peer that has said nothing for so long loses its leases.
/// Both sides send something three times as often. Long enough for a machine that swaps or a process that is stopped
/// for a snapshot, short enough for whoever waits.
inline constexpr seconds node_silence{15};

}  // namespace understudy
