// How a client reaches nodes: what it is told of its link, and how that is begun.
#pragma once
#include "understudy/messages/actors.hpp"

#include <functional>

namespace understudy::internal {

/// A node's gateway as its clients see it: a frame is answered with a frame. Of one on another node stands an actor
/// here, which answers every request: with `connection_failed` when the node may have carried it out, with another
/// failure when it was not given to the node; CAF answers in the place of one that has ended.
using node_gateway_actor = caf::typed_actor<caf::replies_to<std::string>::with<std::string>>;

/// What became of the link to nodes.
struct node_event {
  enum class kind : std::uint8_t {
    linked,       ///< requests go to `gateway` from now on
    lost,         ///< that link has ended: `cause`; what was sent over it has been answered
    unreachable,  ///< no node could be reached this time: `cause`; it goes on trying
    silent,       ///< the node that is tried says nothing so far: `cause`; another one is tried beside it
  };
  kind what = kind::linked;
  node_gateway_actor gateway;
  std::string node;       ///< its name, for people
  std::uint64_t way = 0;  ///< the receiver's own number of what tells it
  failure_ptr cause;
  std::size_t nodes = 1;              ///< that there are to choose from
  time_point by = time_point::max();  ///< of a link: when the attempt is over that it came about by
};

/// Begins to keep a link to the best node that can be reached, another when that is lost, and tells what becomes of it,
/// on any thread, until the returned object is destroyed. `avoid`: the name of a node that others are preferred to, or
/// empty.
using node_connecting = std::function<std::shared_ptr<void>(std::function<void(node_event)> tell, std::string avoid)>;

}  // namespace understudy::internal

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::internal::node_event)
