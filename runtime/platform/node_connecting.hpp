// How a client of nodes keeps its link to them: a connector, told as the client's router wants to be told.
#pragma once
#include "understudy/runtime/platform/node_connector.hpp"

namespace understudy::internal {

/// For spawn_remote_manager(). A node that is to be avoided comes last. `links` has to outlive what is begun.
node_connecting connecting_over(caf::actor_system& system, environment_ptr env, node_links& links,
                                node_connector_options options);

/// The same; what is begun keeps `alive` until it has ended.
node_connecting keeping(std::shared_ptr<void> alive, node_connecting begin);

}  // namespace understudy::internal
