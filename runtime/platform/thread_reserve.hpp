// Whether the system lets this process start as many threads as it will need.
#pragma once
#include "understudy/messages/error.hpp"

#include <cstddef>

namespace understudy::internal {

/// Starts `count` threads, all of them at the same time, and ends them: null when the system let it, else
/// `local_resources`. An actor system that could start only some of its threads can neither be used nor ended.
failure_ptr refused_threads(std::size_t count);

}  // namespace understudy::internal
