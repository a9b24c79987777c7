// The way past the facade: see manager_access.hpp.
#include "understudy/runtime/client/manager_access.hpp"

#include "understudy/runtime/client/facade_state.hpp"

namespace understudy::internal {

std::shared_ptr<runtime> manager_access::running(const connection_manager& manager) { return manager.held().current(); }

void manager_access::serve_nodes(const connection_manager& manager, node_orders orders) {
  manager.held().serve_nodes(std::move(orders));
}

}  // namespace understudy::internal
