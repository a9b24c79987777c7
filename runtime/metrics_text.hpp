// The runtime's state as metrics, for Prometheus and whatever else reads its text format.
#pragma once
#include "understudy/messages/snapshot.hpp"

namespace understudy {

/// The content type of metrics_text().
inline constexpr const char* metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that `state` counts, in the text format 0.0.4: base units (seconds), counters that end with _total,
/// histograms. Labels name servers ("host:port"), nodes and kinds, never a DN, a user or a filter. The names are listed
/// in docs/operations.md. For a service's own endpoint: metrics_text(manager.snapshot()).
std::string metrics_text(const runtime_snapshot& state);

}  // namespace understudy
