// The runtime's state as JSON: what `understudy status --json` and the HTTP endpoint say of it.
#pragma once
#include "understudy/messages/runtime_event.hpp"
#include "understudy/messages/snapshot.hpp"

#include <nlohmann/json_fwd.hpp>

namespace understudy {

/// {"servers": [{"host", "port", "priority", "state", "breaker", "last_error", "last_error_at", "pool": {…}, …}],
/// "active_priority", "operations": {"total", "last_minute": {…}, "latency_ms": {…}, …}, …}. Unknown things are null,
/// times are UTC (RFC 3339), spans are in milliseconds where their names end with _ms. Names and errors are as they
/// came: use state_json(), or dump() as ASCII with what is no UTF-8 replaced.
nlohmann::json to_json(const runtime_snapshot& state);

/// What a probe found: {"ok", "milliseconds", "steps": [{"step", "ok", "milliseconds"}], "error"}.
nlohmann::json to_json(const probe_report& probe);

/// {"number", "at", "kind", "severity", "text", "details": {…}}.
nlohmann::json to_json(const runtime_event& event);

///@{
/// to_json() as text: ASCII alone, on one line.
std::string state_json(const runtime_snapshot& state);
std::string state_json(const runtime_event& event);
///@}

}  // namespace understudy
