// Which nodes a client dials, and how: from what a service says.
#pragma once
#include "understudy/config/connection_info.hpp"
#include "understudy/runtime/platform/node_connector.hpp"
#include "understudy/runtime/remote_nodes.hpp"

namespace understudy::internal {

/// How often each side of a link sends something, as long as the other side's silence means something.
inline constexpr seconds node_heartbeat = node_silence / 3;
/// For a client that gives up after `silence`: no less often than that allows.
duration heartbeat_for(duration silence);

/// What a connector needs. Throws config_error with every problem: addresses, files, spans; without certificates all
/// that is not of this machine.
node_connector_options connector_options(const remote_nodes& nodes);

/// A server for each node: what stands for the directory's as long as no node has told them. Throws as
/// connector_options() does.
std::vector<connection_info> stand_ins_for(const remote_nodes& nodes);

}  // namespace understudy::internal
