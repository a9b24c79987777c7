// understudy demo --nodes N: callers on nodes, a node killed, then a directory server.
#pragma once
#include "understudy/tools/interrupt.hpp"

namespace understudy::cli {

/// Plays it with `nodes` processes of `understudy serve`, at least two. Returns the exit code; throws `interrupted`,
/// std::runtime_error when something cannot be started.
int demonstrate_nodes(interrupt_watch& interrupts, int nodes);

}  // namespace understudy::cli
