// The runtime's state as metrics, for Prometheus and whatever else reads its text format.
#pragma once
#include "understudy/messages/snapshot.hpp"

namespace understudy {

/// The content type of metrics_text().
inline constexpr const char* metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

/// Until when a certificate is valid.
struct certificate_validity {
  std::string use;                     ///< what it is for, as the label of that name: "http.cert_path"
  std::optional<wall_time> not_after;  ///< the end; nothing when it is not known
  bool readable = true;                ///< its file can be read now
};

/// Everything that `state` counts, in the text format 0.0.4: base units (seconds), counters that end with _total,
/// histograms. Labels name servers ("host:port"), nodes and kinds, never a DN, a user or a filter. The names are listed
/// in docs/operations.md. For a service's own endpoint: metrics_text(manager.snapshot()). `certificates`: of those,
/// too, when they end.
std::string metrics_text(const runtime_snapshot& state, const std::vector<certificate_validity>& certificates = {});

}  // namespace understudy
