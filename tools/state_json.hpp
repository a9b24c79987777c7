// The runtime's state as JSON, for `health`.
#pragma once
#include "understudy/messages/snapshot.hpp"

#include <nlohmann/json_fwd.hpp>

namespace understudy::cli {

/// {"servers": [{"host", "port", "priority", "state", "breaker", "last_error", "last_error_at", "pool": {…}, …}],
/// "active_priority", …}. Unknown things are null, times are UTC (RFC 3339). Names and errors are as they came: dump()
/// as ASCII, with what is no UTF-8 replaced.
nlohmann::json to_json(const runtime_snapshot& state);

/// What a probe found: {"ok", "milliseconds", "steps": [{"step", "ok", "milliseconds"}], "error"}.
nlohmann::json to_json(const probe_report& probe);

}  // namespace understudy::cli
