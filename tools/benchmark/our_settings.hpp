// The runtime as the benchmark's client sets it up.
#pragma once
#include "understudy/config/settings.hpp"

#include "arguments.hpp"

namespace understudy::benchmark {

/// From `ports` (separated by commas), `tls`, `ca`, `connections` (a server), `max_in_flight`, `connecting`, `equal`
/// (1: all servers share the load; 0: the first leads). Everything else has its default.
settings settings_from(const arguments& given);

}  // namespace understudy::benchmark
