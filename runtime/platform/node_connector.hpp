// Keeps a link to one of several nodes: the first that answers, and another when that is lost.
#pragma once
#include "understudy/messages/host_and_port.hpp"
#include "understudy/runtime/platform/node_links.hpp"
#include "understudy/runtime/platform/remote_gateway.hpp"

namespace understudy::internal {

/// Which nodes, and how they are dialled.
struct node_connector_options {
  std::vector<host_and_port> nodes;  ///< at least one; in the order of preference
  /// Without: plain text, to 127.0.0.1 and ::1 alone.
  std::optional<dialling_certificates> tls;
  /// In place of `tls` for each dial, when others may have come since; on any thread. Empty: they stay.
  std::function<dialling_certificates()> tls_now = {};
  /// For one node: its address, TCP, TLS, and until its handshake as a node is complete.
  duration dial_timeout = seconds{3};
  /// A node that says nothing for so long goes on being waited for, and the next one is dialled beside it.
  duration patience = seconds{1};
  ///@{
  /// Between rounds in which no node could be reached: the first pause at most, and any.
  duration first_pause = milliseconds{100}, longest_pause = seconds{10};
  ///@}
};

/// Told what becomes of it, on the poller's thread; must be quick and not throw.
struct node_connector_handlers {
  /// There is a link: requests go to `gateway` from now on. `by`: until then, dial_timeout after it was dialled, the
  /// node has to have shown that it serves.
  std::function<void(node_gateway_actor gateway, node_peer peer, time_point by)> on_linked;
  /// It has ended; what was sent over it has been answered.
  std::function<void(failure_ptr why)> on_lost;
  /// No node could be reached this time: why, node by node. It goes on trying.
  std::function<void(failure_ptr why)> on_unreachable;
  /// A node says nothing so far: which.
  std::function<void(failure_ptr why)> on_silent = {};
};

/// Dials from its construction on, until it is destroyed.
class node_connector {
 public:
  /// `links` has to outlive it.
  node_connector(caf::actor_system& system, environment_ptr env, node_links& links, node_connector_options options,
                 node_connector_handlers handlers);
  /// Ends the link. No handler is called any more; on another thread than the poller's, a call that has begun may go
  /// on.
  ~node_connector();
  node_connector(const node_connector&) = delete;
  node_connector& operator=(const node_connector&) = delete;

 private:
  class dialling;
  std::shared_ptr<dialling> dialling_;
};

}  // namespace understudy::internal
