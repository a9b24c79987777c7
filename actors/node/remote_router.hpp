// The router of a client of nodes: what a circuit breaker with its pools is here, is there a node.
#pragma once
#include "understudy/actors/node/frame.hpp"
#include "understudy/actors/node/node_event.hpp"
#include "understudy/actors/ports/ports.hpp"

namespace understudy::internal {

/// Something to ask the node, for the parts of a client.
struct node_request {
  request_frame frame;        ///< but for number and time
  time_point deadline{};      ///< of the answer
  cancel_token_ptr token;     ///< may be null
  bool repeatable = true;     ///< may be asked again although a node may have done it
  std::uint64_t session = 0;  ///< the link that its lease came by; 0: any
  std::string about;          ///< what it is, for people: `add of "cn=x"`
};

/// What is asked of a node beside requests of callers takes so long at the most.
inline constexpr seconds small_timeout{5};

/// One of that kind, without anything beside it.
inline node_request make_node_request(request_kind kind, time_point deadline) {
  node_request asked;
  asked.frame.kind = kind;
  asked.about = to_string(kind);
  asked.deadline = deadline;
  return asked;
}

/// How long a node has to tell its state, and to follow an order.
inline constexpr seconds order_timeout{2};

/// What was read of the node's answer, to who asked.
template <class Promise, class T>
void deliver(Promise& asker, decoded<T> read) {
  if (read.value)
    asker.deliver(std::move(*read.value));
  else
    asker.deliver(to_error(std::move(read.error)));
}

/// The public interface, and what only its own parts send.
using remote_router_actor = circuit_breaker_actor::extend<
    // Asks the node. Answered with its answer, never `failed`: that is an error here.
    caf::replies_to<perform_atom, node_request>::with<answer_frame>,
    // What became of the link.
    caf::reacts_to<event_atom, node_event>,
    // As the manager takes them: leases are known by the numbers that they were granted with here.
    caf::reacts_to<claim_atom, lease_id>, caf::replies_to<release_atom, lease_id>::with<bool>,
    // Refuse new, finish until the deadline, close the link, quit; true when nothing had to be cut off.
    caf::replies_to<drain_atom, time_point>::with<bool>>;

/// `all`: limits.max_result_bytes.
remote_router_actor spawn_remote_router(caf::actor_system& system, settings_ptr all, environment_ptr env,
                                        node_connecting connecting);

}  // namespace understudy::internal

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::internal::node_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::internal::answer_frame)
