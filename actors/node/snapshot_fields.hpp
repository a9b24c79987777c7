// The state of a node's runtime, of its connections and what probes found, as bytes that cross to its clients.
#pragma once
#include "understudy/actors/metrics/operation_tap.hpp"
#include "understudy/actors/node/frame.hpp"
#include "understudy/messages/event.hpp"

namespace understudy::internal {

std::string encode(const runtime_snapshot& state);
std::string encode(const std::vector<probe_report>& found);
std::string encode(const probe_report& found);
std::string encode(const connection_snapshot& state);
std::string encode(const operation_samples& ended);

decoded<runtime_snapshot> decode_runtime_snapshot(std::string_view bytes);
decoded<std::vector<probe_report>> decode_probe_reports(std::string_view bytes);
decoded<probe_report> decode_probe_report(std::string_view bytes);
decoded<connection_snapshot> decode_connection_snapshot(std::string_view bytes);
decoded<operation_samples> decode_operation_samples(std::string_view bytes);

}  // namespace understudy::internal
