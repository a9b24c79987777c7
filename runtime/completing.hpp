// Telling a caller what came of his request, wherever he wants to be told, whatever his code does.
#pragma once
#include "understudy/actors/ports/ports.hpp"
#include "understudy/runtime/directory.hpp"

namespace understudy {

/// Runs `done` once, on `where` or, without one (or when that refuses by throwing), on this thread. What `done` throws
/// is logged (`log` may be null): nobody is there to catch it.
void complete(completion done, const executor& where, outcome what, const std::shared_ptr<log_port>& log);

}  // namespace understudy
