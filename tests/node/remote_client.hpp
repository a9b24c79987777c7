// A client of nodes over real links, which asks and waits.
#pragma once
#include "runtime/test_node.hpp"
#include "support/virtual_runtime.hpp"
#include "understudy/actors/node/remote_manager.hpp"

namespace understudy::test {

/// Linked to the first of these ports of 127.0.0.1 that is a node.
struct remote_client {
  explicit remote_client(const std::vector<std::uint16_t>& ports,
                         std::optional<internal::dialling_certificates> tls = caller_certificates(), settings all = {});
  ~remote_client();
  remote_client(const remote_client&) = delete;
  remote_client& operator=(const remote_client&) = delete;

  /// The one outcome of an operation; may be called by several threads.
  answer<result_ptr> perform(any_operation op, milliseconds limit = seconds{10});
  /// Held until the client goes.
  bool take_lease();

  test_node links;
  connection_manager_actor manager;
  caf::actor holder;  ///< of the lease: one that nobody refers to would end
};

}  // namespace understudy::test
